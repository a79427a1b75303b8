//! The messages with which a gateway refuses a packet: ICMP (RFC 792, RFC 1812 section 4.3) and ICMPv6 (RFC 4443).
//! Pure: a message is written into a buffer of the caller.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::packet::{Family, HEADER_BYTES_V4, HEADER_BYTES_V6, Header, checksum};

/// Longest ICMP error (RFC 1812, 4.3.2.3) and the longest ICMPv6 error (RFC 4443, 2.4c): the rest of the refused
/// packet is left out.
const MESSAGE_BYTES_MAX_V4: usize = 576;
const MESSAGE_BYTES_MAX_V6: usize = 1_280;
/// ICMP and ICMPv6 header: type, code, checksum, and four bytes that depend on the type.
const ICMP_BYTES: usize = 8;
/// Hops of a message of our own.
const HOPS: u8 = 64;
const PROTOCOL_ICMP: u8 = 1;
const PROTOCOL_ICMPV6: u8 = 58;
const IPV6_HOP_BY_HOP: u8 = 0;
const IPV6_ROUTING: u8 = 43;
const IPV6_FRAGMENT: u8 = 44;
const IPV6_OPTIONS: u8 = 60;
/// Extension headers that are looked behind; each kind is there once or twice (RFC 8200, 4.1).
const EXTENSIONS_MAX: usize = 4;
/// Offset of a fragment, in the flags of an IPv4 header.
const FRAGMENT_OFFSET: u16 = 0x1fff;
const DO_NOT_FRAGMENT: u8 = 0x40;

/// Why a gateway refuses a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It has no hop left.
    Expired,
    /// No host has its destination.
    Unreachable,
    /// It is longer than the link's MTU, in bytes.
    TooBig(u16),
}

impl Refusal {
    /// Type, code and the four bytes behind the checksum.
    fn words(self, family: Family) -> (u8, u8, [u8; 4]) {
        let mtu = |mtu: u16| u32::from(mtu).to_be_bytes();
        match (family, self) {
            (Family::V4, Refusal::Expired) => (11, 0, [0; 4]),
            (Family::V4, Refusal::Unreachable) => (3, 1, [0; 4]),
            (Family::V4, Refusal::TooBig(bytes)) => (3, 4, mtu(bytes)),
            (Family::V6, Refusal::Expired) => (3, 0, [0; 4]),
            (Family::V6, Refusal::Unreachable) => (1, 3, [0; 4]),
            (Family::V6, Refusal::TooBig(bytes)) => (2, 0, mtu(bytes)),
        }
    }
}

/// Writes the message about `packet`, from `gateway` to the packet's sender, into `buffer`; returns its length.
///
/// None: no message may be sent about this packet (RFC 1812, 4.3.2.7; RFC 4443, 2.4e), which is an ICMP error
/// itself, a later fragment, or not from one host to one host. Nor about a packet that is too big for IPv4 and may be
/// fragmented: a router would do that, and this one drops it.
pub(super) fn refuse(packet: &[u8], refusal: Refusal, gateway: IpAddr, buffer: &mut [u8]) -> Option<usize> {
    let header = Header::of(packet)?;
    if !is_one_host(header.source) || !is_one_host(header.destination) {
        return None;
    }
    match (gateway, header.source) {
        (IpAddr::V4(gateway), IpAddr::V4(sender)) => {
            if is_silent_v4(packet, refusal)? {
                return None;
            }
            let quote =
                packet.get(..packet.len().min(MESSAGE_BYTES_MAX_V4 - HEADER_BYTES_V4 - ICMP_BYTES))?;
            write_v4(quote, refusal, gateway, sender, buffer)
        }
        (IpAddr::V6(gateway), IpAddr::V6(sender)) => {
            if is_silent_v6(packet)? {
                return None;
            }
            let quote =
                packet.get(..packet.len().min(MESSAGE_BYTES_MAX_V6 - HEADER_BYTES_V6 - ICMP_BYTES))?;
            write_v6(quote, refusal, gateway, sender, buffer)
        }
        _ => None,
    }
}

fn is_one_host(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !(address.is_multicast() || address.is_unspecified() || address.is_loopback() || broadcast)
}

/// Whether an IPv4 packet gets no message.
fn is_silent_v4(packet: &[u8], refusal: Refusal) -> Option<bool> {
    let flags = packet.get(6..8)?.first_chunk::<2>()?;
    if u16::from_be_bytes(*flags) & FRAGMENT_OFFSET != 0 {
        return Some(true);
    }
    if matches!(refusal, Refusal::TooBig(_)) && flags[0] & DO_NOT_FRAGMENT == 0 {
        return Some(true);
    }
    let header_bytes = usize::from(packet.first()? & 0xf) * 4;
    // Echo, timestamp and their replies are questions and answers; everything else may be an error.
    let is_error = |kind: &u8| !matches!(kind, 0 | 8 | 13 | 14);
    Some(*packet.get(9)? == PROTOCOL_ICMP && packet.get(header_bytes).is_none_or(is_error))
}

/// Whether an IPv6 packet gets no message: a fragment (of which only the first could be answered), or an error.
fn is_silent_v6(packet: &[u8]) -> Option<bool> {
    let (mut next, mut at) = (*packet.get(6)?, HEADER_BYTES_V6);
    for _ in 0..EXTENSIONS_MAX {
        match next {
            IPV6_FRAGMENT => return Some(true),
            // ICMPv6 errors are below 128.
            PROTOCOL_ICMPV6 => return Some(packet.get(at).is_none_or(|kind| *kind < 128)),
            IPV6_HOP_BY_HOP | IPV6_ROUTING | IPV6_OPTIONS => {
                let extension = packet.get(at..at + 2)?;
                next = *extension.first()?;
                at += (usize::from(*extension.get(1)?) + 1) * 8;
            }
            _ => return Some(false),
        }
    }
    // Nobody means well with so many extensions.
    Some(true)
}

fn write_v4(
    quote: &[u8],
    refusal: Refusal,
    gateway: Ipv4Addr,
    sender: Ipv4Addr,
    buffer: &mut [u8],
) -> Option<usize> {
    let length = HEADER_BYTES_V4 + ICMP_BYTES + quote.len();
    let (header, body) = buffer.get_mut(..length)?.split_first_chunk_mut::<HEADER_BYTES_V4>()?;
    let ([a, b], [c, d, e, f], [g, h, i, j]) =
        (u16::try_from(length).ok()?.to_be_bytes(), gateway.octets(), sender.octets());
    *header = [0x45, 0, a, b, 0, 0, 0, 0, HOPS, PROTOCOL_ICMP, 0, 0, c, d, e, f, g, h, i, j];
    let sum = checksum([header.as_slice()]).to_be_bytes();
    header.get_mut(10..12)?.copy_from_slice(&sum);
    write_body(body, refusal.words(Family::V4), quote, &[])?;
    Some(length)
}

fn write_v6(
    quote: &[u8],
    refusal: Refusal,
    gateway: Ipv6Addr,
    sender: Ipv6Addr,
    buffer: &mut [u8],
) -> Option<usize> {
    let length = HEADER_BYTES_V6 + ICMP_BYTES + quote.len();
    let (header, body) = buffer.get_mut(..length)?.split_first_chunk_mut::<HEADER_BYTES_V6>()?;
    let body_bytes = u16::try_from(body.len()).ok()?.to_be_bytes();
    let [a, b] = body_bytes;
    header.get_mut(..8)?.copy_from_slice(&[0x60, 0, 0, 0, a, b, PROTOCOL_ICMPV6, HOPS]);
    header.get_mut(8..24)?.copy_from_slice(&gateway.octets());
    header.get_mut(24..40)?.copy_from_slice(&sender.octets());
    // RFC 8200, 8.1: the checksum covers addresses, length and protocol.
    let mut pseudo = [0; HEADER_BYTES_V6];
    pseudo.get_mut(..32)?.copy_from_slice(header.get(8..)?);
    pseudo.get_mut(34..)?.copy_from_slice(&[a, b, 0, 0, 0, PROTOCOL_ICMPV6]);
    write_body(body, refusal.words(Family::V6), quote, &pseudo)?;
    Some(length)
}

/// The ICMP header and the quote, with the checksum over both and `pseudo`.
fn write_body(body: &mut [u8], words: (u8, u8, [u8; 4]), quote: &[u8], pseudo: &[u8]) -> Option<()> {
    let (kind, code, [a, b, c, d]) = words;
    let (icmp, rest) = body.split_first_chunk_mut::<ICMP_BYTES>()?;
    *icmp = [kind, code, 0, 0, a, b, c, d];
    rest.copy_from_slice(quote);
    let sum = checksum([pseudo, icmp.as_slice(), quote]).to_be_bytes();
    icmp.get_mut(2..4)?.copy_from_slice(&sum);
    Some(())
}

#[cfg(test)]
#[path = "icmp_tests.rs"]
mod tests;
