//! Messages as the other end reads them, and packets that get none.

use super::super::packet::tests::packet;
use super::*;

const GATEWAY_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 10, 0, 1));
const SENDER_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 10, 0, 11));
const OTHER_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 20, 0, 11));
const GATEWAY_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0x10, 0x10, 0, 0, 0, 0, 1));
const SENDER_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0x10, 0x10, 0, 0, 0, 0, 0x11));
const OTHER_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0x10, 0x20, 0, 0, 0, 0, 0x11));

fn answer(packet: &[u8], refusal: Refusal, gateway: IpAddr) -> Option<Vec<u8>> {
    let mut buffer = [0; 1_500];
    refuse(packet, refusal, gateway, &mut buffer).map(|length| buffer[..length].to_vec())
}

#[test]
fn messages_quote_the_packet_and_have_right_checksums() {
    let cases = [
        (Refusal::Expired, [11, 0], [3, 0], 0),
        (Refusal::Unreachable, [3, 1], [1, 3], 0),
        (Refusal::TooBig(1_400), [3, 4], [2, 0], 1_400),
    ];
    for (refusal, v4, v6, word) in cases {
        let refused = packet(SENDER_V4, OTHER_V4, 1, &[7; 20]);
        let message = answer(&refused, refusal, GATEWAY_V4).unwrap();
        let header = Header::of(&message).unwrap();
        assert_eq!((header.source, header.destination, header.hops), (GATEWAY_V4, SENDER_V4, 64));
        assert_eq!(message[20..22], v4);
        assert_eq!(message[24..28], u32::to_be_bytes(word));
        assert_eq!((checksum([&message[..20]]), checksum([&message[20..]])), (0, 0), "checksums");
        assert_eq!(message[28..], refused);

        let refused = packet(SENDER_V6, OTHER_V6, 1, &[7; 21]);
        let message = answer(&refused, refusal, GATEWAY_V6).unwrap();
        let header = Header::of(&message).unwrap();
        assert_eq!((header.source, header.destination, header.hops), (GATEWAY_V6, SENDER_V6, 64));
        assert_eq!(message[40..42], v6);
        assert_eq!(message[44..48], u32::to_be_bytes(word));
        let length = u32::try_from(message.len() - 40).unwrap().to_be_bytes();
        assert_eq!(checksum([&message[8..40], &length, &[0, 0, 0, 58], &message[40..]]), 0, "checksum");
        assert_eq!(message[48..], refused);
    }
}

#[test]
fn long_packets_are_quoted_in_part() {
    let refused = packet(SENDER_V4, OTHER_V4, 1, &[7; 1_400]);
    assert_eq!(answer(&refused, Refusal::Expired, GATEWAY_V4).unwrap().len(), 576);
    let refused = packet(SENDER_V6, OTHER_V6, 1, &[7; 1_400]);
    assert_eq!(answer(&refused, Refusal::Expired, GATEWAY_V6).unwrap().len(), 1_280);
}

/// A packet of the family with one byte set.
fn with(source: IpAddr, destination: IpAddr, bytes: &[(usize, u8)]) -> Vec<u8> {
    let mut packet = packet(source, destination, 1, &[0; 40]);
    for (at, byte) in bytes {
        packet[*at] = *byte;
    }
    packet
}

#[test]
fn some_packets_get_no_message() {
    let icmp = |kind| with(SENDER_V4, OTHER_V4, &[(9, 1), (20, kind)]);
    let icmp_v6 = |kind| with(SENDER_V6, OTHER_V6, &[(6, 58), (40, kind)]);
    // Destination options (8 bytes, then ICMPv6).
    let behind_options = |kind| with(SENDER_V6, OTHER_V6, &[(6, 60), (40, 58), (41, 0), (48, kind)]);
    let cases = [
        ("echo request", icmp(8), true),
        ("echo reply", icmp(0), true),
        ("destination unreachable", icmp(3), false),
        ("time exceeded", icmp(11), false),
        (
            "echo request, options in the header",
            with(SENDER_V4, OTHER_V4, &[(0, 0x46), (9, 1), (24, 8)]),
            true,
        ),
        (
            "time exceeded, options in the header",
            with(SENDER_V4, OTHER_V4, &[(0, 0x46), (9, 1), (24, 11)]),
            false,
        ),
        ("first fragment", with(SENDER_V4, OTHER_V4, &[(6, 0x20)]), true),
        ("later fragment", with(SENDER_V4, OTHER_V4, &[(6, 0x20), (7, 9)]), false),
        ("broadcast", packet(SENDER_V4, Ipv4Addr::BROADCAST.into(), 1, &[]), false),
        ("multicast", packet(SENDER_V4, Ipv4Addr::new(224, 0, 0, 1).into(), 1, &[]), false),
        ("no source", packet(Ipv4Addr::UNSPECIFIED.into(), OTHER_V4, 1, &[]), false),
        ("ICMPv6 echo request", icmp_v6(128), true),
        ("ICMPv6 packet too big", icmp_v6(2), false),
        ("ICMPv6 fragment", with(SENDER_V6, OTHER_V6, &[(6, 44)]), false),
        ("ICMPv6 echo request behind options", behind_options(128), true),
        ("ICMPv6 time exceeded behind options", behind_options(3), false),
        (
            "all IPv6 nodes",
            packet(SENDER_V6, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).into(), 1, &[]),
            false,
        ),
    ];
    for (what, packet, answered) in cases {
        let gateway = if packet[0] >> 4 == 4 { GATEWAY_V4 } else { GATEWAY_V6 };
        assert_eq!(answer(&packet, Refusal::Unreachable, gateway).is_some(), answered, "{what}");
    }
}

#[test]
fn only_packets_that_must_stay_whole_are_too_big() {
    let whole = packet(SENDER_V4, OTHER_V4, 1, &[0; 40]);
    let mut divisible = whole.clone();
    divisible[6] &= !DO_NOT_FRAGMENT;
    assert!(answer(&whole, Refusal::TooBig(576), GATEWAY_V4).is_some());
    assert!(answer(&divisible, Refusal::TooBig(576), GATEWAY_V4).is_none());
    assert!(answer(&divisible, Refusal::Expired, GATEWAY_V4).is_some());
}
