//! Damage to a packet: one bit behind the IP header is flipped. The header stays whole, so that the packet still
//! arrives; whether its receiver notices is up to the checksum of what the packet carries.

/// Bytes of an IPv6 header; extension headers count as what it carries.
const IPV6_HEADER: usize = 40;

/// Flips bit `bit`, modulo their number, of what an IP packet carries; nothing in a packet that carries nothing.
pub(super) fn flip(packet: &mut [u8], bit: u64) {
    let header = match packet.first() {
        Some(first) if first >> 4 == 4 => usize::from(first & 0x0f) * 4,
        Some(first) if first >> 4 == 6 => IPV6_HEADER,
        _ => return,
    };
    let Some(carried) = packet.get_mut(header..).filter(|carried| !carried.is_empty()) else { return };
    let bits = u64::try_from(carried.len()).unwrap_or(u64::MAX).saturating_mul(8);
    let place = bit % bits;
    let byte = usize::try_from(place / 8).ok().and_then(|byte| carried.get_mut(byte));
    if let Some(byte) = byte {
        *byte ^= 1 << (place % 8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet of zeroes with this first byte.
    fn packet(first: u8, length: usize) -> Vec<u8> {
        let mut packet = vec![0; length];
        packet[0] = first;
        packet
    }

    #[test]
    fn exactly_one_bit_behind_the_header_is_flipped() {
        // First byte, length of the header, of the packet.
        for (first, header, length) in [(0x45, 20, 60), (0x46, 24, 25), (0x60, 40, 41)] {
            let bits = u64::try_from((length - header) * 8).unwrap();
            let mut seen = vec![0_u32; length];
            for bit in 0..2 * bits {
                let mut damaged = packet(first, length);
                flip(&mut damaged, bit);
                let differing = damaged.iter().zip(packet(first, length)).map(|(a, b)| a ^ b);
                let ones: Vec<u32> = differing.map(u8::count_ones).collect();
                assert_eq!(ones.iter().sum::<u32>(), 1, "bit {bit}");
                seen.iter_mut().zip(ones).for_each(|(seen, ones)| *seen += ones);
            }
            let (intact, carried) = seen.split_at(header);
            assert!(intact.iter().all(|count| *count == 0) && carried.iter().all(|count| *count == 16));
        }
    }

    #[test]
    fn a_packet_that_carries_nothing_stays_as_it_is() {
        for whole in [packet(0x45, 20), packet(0x4f, 30), packet(0x60, 40), packet(0x00, 60), Vec::new()] {
            let mut damaged = whole.clone();
            flip(&mut damaged, 7);
            assert_eq!(damaged, whole);
        }
    }
}
