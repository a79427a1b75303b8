//! The little of an IP packet that a router reads and changes: addresses, and the hops that are left. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Length of an IPv4 header without options, and of an IPv6 header without extensions.
pub(super) const HEADER_BYTES_V4: usize = 20;
pub(super) const HEADER_BYTES_V6: usize = 40;

/// Which protocol a packet is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

/// The part of a header that decides a packet's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// TTL or hop limit.
    pub(super) hops: u8,
}

impl Header {
    /// Reads the header; none when this is neither IPv4 nor IPv6, or not whole.
    pub(super) fn of(packet: &[u8]) -> Option<Header> {
        match family(packet)? {
            Family::V4 => {
                let header = packet.first_chunk::<HEADER_BYTES_V4>()?;
                let [.., a, b, c, d, e, f, g, h] = *header;
                Some(Header {
                    source: Ipv4Addr::new(a, b, c, d).into(),
                    destination: Ipv4Addr::new(e, f, g, h).into(),
                    hops: header[8],
                })
            }
            Family::V6 => {
                let header = packet.first_chunk::<HEADER_BYTES_V6>()?;
                let (_, addresses) = header.split_last_chunk::<32>()?;
                let (source, destination) = addresses.split_first_chunk::<16>()?;
                Some(Header {
                    source: Ipv6Addr::from(*source).into(),
                    destination: Ipv6Addr::from(*destination.first_chunk::<16>()?).into(),
                    hops: header[7],
                })
            }
        }
    }
}

/// The protocol that the first four bits name.
pub(super) fn family(packet: &[u8]) -> Option<Family> {
    match packet.first()? >> 4 {
        4 => Some(Family::V4),
        6 => Some(Family::V6),
        _ => None,
    }
}

/// Takes one hop off. The packet must be whole, with at least one hop left. The checksum of an IPv4 header is updated
/// and not computed anew, so that a header that was wrong stays wrong (RFC 1624).
pub(super) fn take_hop(packet: &mut [u8]) {
    match family(packet) {
        Some(Family::V4) => {
            if let Some([ttl, protocol, sum @ ..]) =
                packet.get_mut(8..12).and_then(<[u8]>::first_chunk_mut::<4>)
            {
                let before = u16::from_be_bytes([*ttl, *protocol]);
                *ttl = ttl.saturating_sub(1);
                let after = u16::from_be_bytes([*ttl, *protocol]);
                *sum = updated(u16::from_be_bytes(*sum), before, after).to_be_bytes();
            }
        }
        Some(Family::V6) => {
            if let Some(limit) = packet.get_mut(7) {
                *limit = limit.saturating_sub(1);
            }
        }
        None => {}
    }
}

/// RFC 1624, equation 3: the checksum after one 16-bit word of the header has changed.
fn updated(checksum: u16, before: u16, after: u16) -> u16 {
    !fold(u32::from(!checksum) + u32::from(!before) + u32::from(after))
}

/// The Internet checksum (RFC 1071) over several parts, each but the last of an even length.
pub(super) fn checksum<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u16 {
    // 16 bits each: 65,536 words fit, far more than a packet has.
    let words = parts.into_iter().flat_map(|part| {
        part.chunks(2).map(|word| match word {
            [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
            [high] => u32::from(*high) << 8,
            _ => 0,
        })
    });
    !fold(words.sum())
}

/// Adds the carries back, until none is left.
fn fold(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A UDP packet of either family with this payload, header checksum right, UDP checksum zero.
    pub(in super::super) fn packet(source: IpAddr, destination: IpAddr, hops: u8, payload: &[u8]) -> Vec<u8> {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let length = u16::try_from(HEADER_BYTES_V4 + payload.len()).unwrap().to_be_bytes();
                let mut packet = vec![0x45, 0, length[0], length[1], 0, 7, 0x40, 0, hops, 17, 0, 0];
                packet.extend(source.octets().into_iter().chain(destination.octets()));
                let sum = checksum([packet.as_slice()]).to_be_bytes();
                packet[10..12].copy_from_slice(&sum);
                packet.extend_from_slice(payload);
                packet
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
                let mut packet = vec![0x60, 0, 0, 0, length[0], length[1], 17, hops];
                packet.extend(source.octets().into_iter().chain(destination.octets()));
                packet.extend_from_slice(payload);
                packet
            }
            _ => panic!("one family"),
        }
    }

    fn any_addresses() -> impl Strategy<Value = (IpAddr, IpAddr)> {
        let v4 = any::<(Ipv4Addr, Ipv4Addr)>().prop_map(|(a, b)| (IpAddr::from(a), IpAddr::from(b)));
        let v6 = any::<(Ipv6Addr, Ipv6Addr)>().prop_map(|(a, b)| (IpAddr::from(a), IpAddr::from(b)));
        prop_oneof![v4, v6]
    }

    proptest! {
        /// A header reads as it was written, and one hop less leaves a right checksum right.
        #[test]
        fn one_hop_less((source, destination) in any_addresses(), hops in 1_u8..) {
            let mut packet = packet(source, destination, hops, b"payload");
            prop_assert_eq!(Header::of(&packet), Some(Header { source, destination, hops }));
            take_hop(&mut packet);
            prop_assert_eq!(Header::of(&packet), Some(Header { source, destination, hops: hops - 1 }));
            if source.is_ipv4() {
                prop_assert_eq!(checksum([&packet[..HEADER_BYTES_V4]]), 0);
            }
        }

        /// Whatever a host sends, nothing panics.
        #[test]
        fn any_bytes(mut bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let header = Header::of(&bytes);
            take_hop(&mut bytes);
            prop_assert!(header.is_none() || bytes.len() >= HEADER_BYTES_V4);
        }
    }

    #[test]
    fn a_wrong_checksum_stays_wrong() {
        let (source, destination) = (Ipv4Addr::new(10, 10, 0, 11), Ipv4Addr::new(10, 20, 0, 11));
        let mut packet = packet(source.into(), destination.into(), 64, b"");
        packet[10] ^= 1;
        take_hop(&mut packet);
        assert_ne!(checksum([packet.as_slice()]), 0);
    }

    #[test]
    fn half_a_header_is_none() {
        let v6 = packet(Ipv6Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into(), 1, b"");
        assert_eq!(Header::of(&v6[..39]), None);
        assert_eq!(Header::of(&[0x45; 19]), None);
        assert_eq!(Header::of(&[0x55; 60]), None);
    }
}
