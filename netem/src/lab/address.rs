//! Addresses that follow from others: a host's IPv6 address from its IPv4 address, a gateway's from its network.

use std::net::{Ipv4Addr, Ipv6Addr};

use farquorum_config::Ipv4Net;

/// First group of every address: unique local (RFC 4193), with a prefix that means nothing outside the lab.
const PREFIX: u16 = 0xfd00;

/// The IPv6 address of the host with this IPv4 address: `fd00:A:B:C::D` for `A.B.C.D`, with the same digits, so that
/// a person sees which host it is. 10.20.0.11 is `fd00:10:20::11`.
pub fn ipv6_of(address: Ipv4Addr) -> Ipv6Addr {
    let [a, b, c, d] = address.octets().map(digits);
    Ipv6Addr::new(PREFIX, a, b, c, 0, 0, 0, d)
}

/// The IPv4 address that [`ipv6_of`] makes this address from; none when there is none.
pub(crate) fn ipv4_of(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [PREFIX, a, b, c, 0, 0, 0, d] => Some(Ipv4Addr::new(octet(a)?, octet(b)?, octet(c)?, octet(d)?)),
        _ => None,
    }
}

/// The gateway of a cloud: the first address of its network, `.1` of a /24. No host has it; it is the sender of every
/// ICMP message of the WAN, in IPv6 under [`ipv6_of`].
pub fn gateway(network: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(network.base).saturating_add(1))
}

/// The number whose hexadecimal digits are the octet's decimal digits.
fn digits(octet: u8) -> u16 {
    let octet = u16::from(octet);
    octet / 100 * 0x100 + octet / 10 % 10 * 0x10 + octet % 10
}

/// Undoes [`digits`].
fn octet(digits: u16) -> Option<u8> {
    let (hundreds, tens, ones) = (digits >> 8, digits >> 4 & 0xf, digits & 0xf);
    if tens > 9 || ones > 9 {
        return None;
    }
    u8::try_from(hundreds * 100 + tens * 10 + ones).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn digits_stay() {
        for (v4, v6) in [("10.20.0.11", "fd00:10:20::11"), ("192.168.255.1", "fd00:192:168:255::1")] {
            assert_eq!(ipv6_of(v4.parse().unwrap()), v6.parse::<Ipv6Addr>().unwrap());
        }
        for strange in ["fd00:10:20::1a", "fd00:10:20::256", "fd00:10:20:0:1::11", "fd01:10:20::11", "::1"] {
            assert_eq!(ipv4_of(strange.parse().unwrap()), None, "{strange}");
        }
    }

    #[test]
    fn the_gateway_is_the_first_address() {
        let network = Ipv4Net { base: Ipv4Addr::new(10, 20, 0, 0), len: 24 };
        assert_eq!(gateway(network), Ipv4Addr::new(10, 20, 0, 1));
    }

    proptest! {
        #[test]
        fn both_ways(address: Ipv4Addr) {
            prop_assert_eq!(ipv4_of(ipv6_of(address)), Some(address));
        }

        /// Two hosts never share an address: what can be read back was made by the rule.
        #[test]
        fn back_and_forth(groups: [u16; 4]) {
            let [a, b, c, d] = groups.map(|group| group % 0x260);
            let address = Ipv6Addr::new(PREFIX, a, b, c, 0, 0, 0, d);
            prop_assert!(ipv4_of(address).is_none_or(|v4| ipv6_of(v4) == address));
        }
    }
}
