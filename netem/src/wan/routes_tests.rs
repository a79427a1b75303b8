//! Who may send what where, and which hops are taken.

use std::net::Ipv6Addr;

use super::super::packet::tests::packet;
use super::*;

/// Hosts 0 and 1 are in cloud a, 2 and 3 in cloud b.
fn routes() -> Routes {
    Routes::of(&LabSpec::sample(&[("a", 10), ("b", 20)], 2, &[("a", "b", 10.0)]))
}

fn v4(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The IPv6 address that follows.
fn v6(text: &str) -> IpAddr {
    ipv6_of(text.parse().unwrap()).into()
}

#[test]
fn packets_go_to_who_has_the_address_and_nowhere_else() {
    let stray = Route::Dropped;
    let unreachable = Route::Refused(Refusal::Unreachable);
    let cases = [
        ("across", 0, "10.10.0.11", "10.20.0.11", Route::To(2)),
        ("inside", 0, "10.10.0.11", "10.10.0.12", Route::To(1)),
        ("somebody else's source", 1, "10.10.0.11", "10.20.0.11", stray(Stray::Spoofed)),
        ("unknown sender", 9, "10.10.0.11", "10.20.0.11", stray(Stray::Spoofed)),
        ("unknown destination", 0, "10.10.0.11", "192.0.2.1", unreachable),
        ("a gateway", 0, "10.10.0.11", "10.20.0.1", unreachable),
    ];
    for (what, from, source, destination, expected) in cases {
        for address in [v4, v6] {
            let mut packet = packet(address(source), address(destination), 64, b"payload");
            assert_eq!(routes().route(from, &mut packet), expected, "{what}");
        }
    }
    let mut all_routers =
        packet(v6("10.10.0.11"), Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2).into(), 64, b"");
    assert_eq!(routes().route(0, &mut all_routers), stray(Stray::Ignored));
    assert_eq!(routes().route(0, &mut [0; 60]), stray(Stray::Ignored), "no IP");
    assert_eq!(routes().route(0, &mut []), stray(Stray::Ignored), "nothing");
}

#[test]
fn a_hop_is_taken_between_clouds_only() {
    for address in [v4, v6] {
        let cases = [
            ("10.20.0.11", 64, Route::To(2), 63),
            ("10.20.0.11", 2, Route::To(2), 1),
            ("10.20.0.11", 1, Route::Refused(Refusal::Expired), 1),
            ("10.20.0.11", 0, Route::Refused(Refusal::Expired), 0),
            ("10.10.0.12", 64, Route::To(1), 64),
            ("10.10.0.12", 1, Route::To(1), 1),
        ];
        for (destination, hops, route, left) in cases {
            let mut packet = packet(address("10.10.0.11"), address(destination), hops, b"payload");
            assert_eq!(routes().route(0, &mut packet), route);
            assert_eq!(Header::of(&packet).unwrap().hops, left, "{destination}, {hops} hops");
        }
    }
}

#[test]
fn what_is_longer_than_the_mtu_is_refused() {
    for address in [v4, v6] {
        let of = |bytes: usize| {
            let header = if address("10.10.0.11").is_ipv4() { 20 } else { 40 };
            packet(address("10.10.0.11"), address("10.20.0.11"), 64, &vec![0; bytes - header])
        };
        assert_eq!(routes().route(0, &mut of(1_500)), Route::To(2));
        assert_eq!(routes().route(0, &mut of(1_501)), Route::Refused(Refusal::TooBig(1_500)));
    }
}

#[test]
fn the_gateway_answers_in_the_protocol_of_the_packet() {
    let gateway = |address: fn(&str) -> IpAddr| {
        routes().gateway_of(3, &packet(address("10.20.0.12"), address("192.0.2.1"), 64, b""))
    };
    assert_eq!(gateway(v4), Some(v4("10.20.0.1")));
    assert_eq!(gateway(v6), Some(v4("fd00:10:20::1")));
}
