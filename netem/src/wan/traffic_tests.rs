//! The way of a packet from device to device. Datagram sockets stand in for the devices: they keep packets apart, and
//! need no privilege.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use super::super::control::Site;
use super::super::packet::Header;
use super::super::packet::tests::packet;
use super::*;
use crate::allocations;
use crate::lab::{Port, ipv6_of};

/// Hosts 0 and 1 in cloud a, 2 and 3 in cloud b, no delay; the ends of their devices: the WAN's, the hosts'.
fn lab() -> (Traffic, Ports, Vec<UnixDatagram>) {
    lab_with(0.0)
}

/// The same with a round-trip time between the clouds.
fn lab_with(rtt_ms: f64) -> (Traffic, Ports, Vec<UnixDatagram>) {
    let spec = LabSpec::sample(&[("a", 10), ("b", 20)], 2, &[("a", "b", rtt_ms)]);
    let pair = |_| {
        let (port, host) = UnixDatagram::pair().unwrap();
        port.set_nonblocking(true).unwrap();
        host.set_nonblocking(true).unwrap();
        (Port::Tun(File::from(OwnedFd::from(port))), host)
    };
    let (ports, hosts): (Vec<_>, Vec<_>) = (0..4).map(pair).unzip();
    (Traffic::of(&spec).unwrap(), Ports::Each(ports), hosts)
}

fn v4(net: u8, last: u8) -> IpAddr {
    Ipv4Addr::new(10, net, 0, last).into()
}

fn v6(net: u8, last: u8) -> IpAddr {
    ipv6_of(Ipv4Addr::new(10, net, 0, last)).into()
}

/// What is waiting at a host.
fn received(host: &UnixDatagram) -> Option<Vec<u8>> {
    let mut buffer = [0; 2_000];
    host.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec())
}

#[test]
fn a_packet_arrives_with_one_hop_less() {
    let (mut traffic, ports, hosts) = lab();
    for address in [v4, v6] {
        let mut sent = packet(address(10, 11), address(20, 12), 64, b"payload");
        hosts[0].send(&sent).unwrap();
        assert!(traffic.read(&ports, 0));
        traffic.deliver(&ports);
        super::super::packet::take_hop(&mut sent);
        assert_eq!(received(&hosts[3]), Some(sent));
    }
    let counters = traffic.links.report()[1].counters;
    assert_eq!((counters.offered, counters.delivered), (2, 2));
    assert_eq!(traffic.strays, Strays::default());
}

#[test]
fn both_protocols_have_the_delay_of_the_link() {
    for address in [v4, v6] {
        let (mut traffic, ports, hosts) = lab_with(20_000.0);
        hosts[0].send(&packet(address(10, 11), address(20, 12), 64, b"payload")).unwrap();
        let before_ns = clock::now_ns();
        traffic.read(&ports, 0);
        let due_ns = traffic.next_ns().expect("a packet in flight");
        assert!(due_ns >= before_ns + 10_000_000_000, "due after {} ns", due_ns - before_ns);
        traffic.deliver(&ports);
        assert_eq!(received(&hosts[3]), None, "early");
    }
}

#[test]
fn a_traceroute_shows_the_gateway() {
    let (mut traffic, ports, hosts) = lab();
    for address in [v4, v6] {
        hosts[0].send(&packet(address(10, 11), address(20, 12), 1, b"payload")).unwrap();
        traffic.read(&ports, 0);
        traffic.deliver(&ports);
        assert_eq!(received(&hosts[3]), None);
        let message = received(&hosts[0]).unwrap();
        assert_eq!(Header::of(&message).unwrap().source, address(10, 1));
    }
    assert_eq!((traffic.strays.expired, traffic.strays.answered), (2, 2));
}

#[test]
fn messages_about_nobody_are_few_and_a_cut_is_silent() {
    let (mut traffic, ports, hosts) = lab();
    for _ in 0..500 {
        hosts[0].send(&packet(v4(10, 11), v4(20, 99), 64, b"")).unwrap();
        traffic.read(&ports, 0);
        traffic.deliver(&ports);
        while received(&hosts[0]).is_some() {}
    }
    let strays = traffic.strays;
    assert_eq!(strays.unreachable, 500);
    // 50 at once; a slow machine may take long enough for some more.
    assert!((50..400).contains(&strays.answered), "{strays:?}");
    // Host 1 has an allowance of its own.
    hosts[1].send(&packet(v4(10, 12), v4(20, 99), 64, b"")).unwrap();
    traffic.read(&ports, 1);
    traffic.deliver(&ports);
    assert!(received(&hosts[1]).is_some());

    traffic.links.set_cut(Site::Cloud(0), Site::Cloud(1), true);
    hosts[1].send(&packet(v4(10, 12), v4(20, 12), 64, b"")).unwrap();
    traffic.read(&ports, 1);
    traffic.deliver(&ports);
    assert_eq!((received(&hosts[1]), received(&hosts[3])), (None, None));
}

/// Issue: a packet costs no allocation, once the pool has its buffers.
#[test]
fn a_steady_stream_allocates_nothing() {
    let (mut traffic, ports, hosts) = lab();
    let across = packet(v4(10, 11), v4(20, 12), 64, &[0; 1_400]);
    let refused = packet(v6(10, 11), v6(20, 99), 64, &[0; 1_400]);
    let mut buffer = [0; 2_000];
    let mut round = |sent: &[u8]| {
        hosts[0].send(sent).unwrap();
        traffic.read(&ports, 0);
        traffic.deliver(&ports);
        [0, 3].map(|host| hosts[host].recv(&mut buffer).is_ok())
    };
    assert_eq!(round(&across), [false, true]);
    assert_eq!(round(&refused), [true, false]);
    let before = allocations::count();
    for _ in 0..1_000 {
        round(&across);
        round(&refused);
    }
    assert_eq!(allocations::count() - before, 0, "allocations");
    assert!(before > 0, "the counter counts");
}

#[test]
fn one_device_for_all_tells_hosts_apart_by_their_addresses() {
    let (mut traffic, _, _) = lab();
    let (port, kernel) = UnixDatagram::pair().unwrap();
    for end in [&port, &kernel] {
        end.set_nonblocking(true).unwrap();
    }
    let ports = Ports::Shared(Port::Tun(File::from(OwnedFd::from(port))));
    kernel.send(&packet(v4(10, 12), v4(20, 11), 64, b"")).unwrap();
    kernel.send(&packet(v4(99, 12), v4(20, 11), 64, b"")).unwrap();
    assert!(traffic.read(&ports, 0));
    traffic.deliver(&ports);
    let arrived = received(&kernel).expect("a host's packet comes out again");
    assert_eq!(Header::of(&arrived).unwrap().destination, v4(20, 11));
    assert_eq!(received(&kernel), None, "a packet of nobody's went on");
    assert_eq!((traffic.links.report()[1].counters.delivered, traffic.strays.spoofed), (1, 1));
}
