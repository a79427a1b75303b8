//! The way of a packet from device to device. Datagram sockets stand in for the devices: they keep packets apart, and
//! need no privilege.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Shutdown};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::thread::sleep;
use std::time::Duration;

use farquorum_config::{Codel, Gilbert, Jitter, LinkShape, Loss, Queue};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::control::Site;
use super::super::counters::Counters;
use super::super::flight::IN_FLIGHT_MAX;
use super::super::packet::tests::packet;
use super::super::packet::{HEADER_BYTES_V4, HEADER_BYTES_V6, Header, checksum, take_hop};
use super::*;
use crate::allocations;
use crate::lab::{Port, ipv6_of};

/// Hosts 0 and 1 in cloud a, 2 and 3 in cloud b, no delay; the ends of their devices: the WAN's, the hosts'.
fn lab() -> (Traffic, Ports, Vec<UnixDatagram>) {
    lab_with(0.0)
}

/// The same with a round-trip time between the clouds.
fn lab_with(rtt_ms: f64) -> (Traffic, Ports, Vec<UnixDatagram>) {
    lab_of(&LabSpec::sample(&[("a", 10), ("b", 20)], 2, &[("a", "b", rtt_ms)]))
}

fn lab_of(spec: &LabSpec) -> (Traffic, Ports, Vec<UnixDatagram>) {
    let pair = |_| {
        let (port, host) = UnixDatagram::pair().unwrap();
        port.set_nonblocking(true).unwrap();
        host.set_nonblocking(true).unwrap();
        (Port::Tun(File::from(OwnedFd::from(port))), host)
    };
    let (ports, hosts): (Vec<_>, Vec<_>) = (0..4).map(pair).unzip();
    (Traffic::of(spec).unwrap(), Ports::Each(ports), hosts)
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
        take_hop(&mut sent);
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

/// What became of packets on one link, or on several, that are not in flight.
fn ended(counters: &Counters) -> u64 {
    let dropped = [counters.lost, counters.queue_full, counters.waited, counters.cut];
    counters.delivered + dropped.iter().sum::<u64>() + counters.overload + counters.refused
}

fn sum(counters: impl Iterator<Item = Counters>) -> Counters {
    counters.fold(Counters::default(), |sum, one| Counters {
        offered: sum.offered + one.offered,
        offered_bytes: sum.offered_bytes + one.offered_bytes,
        delivered: sum.delivered + one.delivered,
        delivered_bytes: sum.delivered_bytes + one.delivered_bytes,
        lost: sum.lost + one.lost,
        queue_full: sum.queue_full + one.queue_full,
        waited: sum.waited + one.waited,
        cut: sum.cut + one.cut,
        overload: sum.overload + one.overload,
        refused: sum.refused + one.refused,
        duplicated: sum.duplicated + one.duplicated,
        corrupted: sum.corrupted + one.corrupted,
    })
}

fn counters(traffic: &Traffic) -> Counters {
    sum(traffic.links.report().into_iter().map(|link| link.counters))
}

/// What goes into a WAN and comes out of it, counted outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Outside {
    sent: u64,
    received: u64,
    received_bytes: u64,
}

impl Outside {
    fn receive(&mut self, hosts: &[UnixDatagram]) {
        for packet in hosts.iter().flat_map(|host| std::iter::from_fn(|| received(host))) {
            self.received += 1;
            self.received_bytes += u64::try_from(packet.len()).unwrap();
        }
    }

    /// Every packet that went in, was copied or was made by a gateway has come out, is in flight, or was counted.
    fn assert_conserved(&self, traffic: &Traffic, when: &str) {
        let (counters, strays) = (counters(traffic), traffic.strays);
        let Strays { spoofed, unreachable, expired, too_big, ignored, .. } = strays;
        let astray = spoofed + unreachable + expired + too_big + ignored;
        assert_eq!(
            self.sent + strays.answered,
            counters.offered + astray,
            "in, {when}: {counters:?} {strays:?}"
        );
        let in_flight = u64::try_from(traffic.flight.len()).unwrap();
        assert_eq!(
            counters.offered + counters.duplicated,
            ended(&counters) + in_flight,
            "{when}: {counters:?}"
        );
        let out = (counters.delivered, counters.delivered_bytes);
        assert_eq!((self.received, self.received_bytes), out, "out, {when}: {counters:?}");
    }
}

/// A packet of a host to another, or one that goes astray.
fn any_packet(draw: &mut ChaCha8Rng, from: u8) -> Vec<u8> {
    let address = if draw.random() { v4 } else { v6 };
    let host = |host: u8| address(10 + 10 * (host / 2), 11 + host % 2);
    let payload = vec![draw.random(); draw.random_range(8..1_470)];
    // Nobody has the address, a source that is not the sender's, no hop left, longer than the MTU.
    let mut one_in_fifty = || draw.random_ratio(1, 50);
    match [one_in_fifty(), one_in_fifty(), one_in_fifty(), one_in_fifty()] {
        [true, ..] => packet(host(from), address(20, 99), 64, &payload),
        [_, true, ..] => packet(host((from + 1) % 4), host(0), 64, &payload),
        [.., true, _] => packet(host(from), host((from + 2) % 4), 1, &payload),
        [.., true] => packet(host(from), host((from + 2) % 4), 64, &[0; 1_490]),
        _ => packet(host(from), host(draw.random_range(0..4)), 64, &payload),
    }
}

/// All that a link can do at once, with either kind of queue.
fn rough(queue: Queue) -> LinkShape {
    LinkShape {
        delay_ms: 1.0,
        jitter: Some(Jitter::normal(0.3)),
        loss: Loss::Independent(0.1),
        rate_mbit: Some(20.0),
        queue_bytes: Some(if queue == Queue::Tail { 4_000 } else { 40_000 }),
        queue,
        reorder: 0.2,
        duplicate: 0.3,
        corrupt: 0.2,
    }
}

#[test]
fn every_packet_is_accounted_for_at_every_step() {
    let mut totals = Vec::new();
    for seed in 0..8 {
        let mut draw = ChaCha8Rng::seed_from_u64(seed);
        let spec = LabSpec::sample(&[("a", 10), ("b", 20)], 2, &[("a", "b", 0.0)]);
        let (mut traffic, ports, hosts) = lab_of(&LabSpec { seed, ..spec });
        let codel = Queue::Codel(Codel { target_ms: 0.1, interval_ms: 1.0 });
        let gilbert = Gilbert { enter: 0.1, leave: 0.3, lost_in_bad: 0.9, lost_in_good: 0.0 };
        traffic.links.set_shape(0, 1, rough(Queue::Tail));
        traffic.links.set_shape(1, 0, LinkShape { loss: Loss::Gilbert(gilbert), ..rough(codel) });
        let mut outside = Outside::default();
        for step in 0..300 {
            match step {
                80 => traffic.links.set_cut(Site::Cloud(0), Site::Cloud(1), true),
                110 => traffic.links.set_cut(Site::Host(2), Site::Host(1), true),
                140 => traffic.links.set_shape(0, 1, LinkShape { delay_ms: 0.2, ..rough(Queue::Tail) }),
                160 => traffic.links.heal_all(),
                180 => traffic.links.set_isolated(Site::Host(3), true),
                210 => traffic.links.set_isolated(Site::Host(3), false),
                // From now on host 3 takes nothing.
                240 => hosts[3].shutdown(Shutdown::Read).unwrap(),
                _ => {}
            }
            let from = draw.random_range(0..4);
            for _ in 0..draw.random_range(0..10) {
                hosts[usize::from(from)].send(&any_packet(&mut draw, from)).unwrap();
                outside.sent += 1;
            }
            assert!(traffic.read(&ports, usize::from(from)));
            traffic.deliver(&ports);
            outside.receive(&hosts);
            outside.assert_conserved(&traffic, &format!("seed {seed}, step {step}"));
        }
        while let Some(next_ns) = traffic.next_ns() {
            sleep(Duration::from_nanos(next_ns.saturating_sub(clock::now_ns())));
            traffic.deliver(&ports);
            outside.receive(&hosts);
        }
        outside.assert_conserved(&traffic, &format!("seed {seed}, end"));
        assert_eq!(traffic.flight.len(), 0);
        for link in traffic.links.report() {
            let counters = link.counters;
            assert_eq!(counters.offered + counters.duplicated, ended(&counters), "seed {seed}: {link:?}");
        }
        totals.push((counters(&traffic), traffic.strays));
    }
    // Each of them was tried.
    let all = sum(totals.iter().map(|(counters, _)| *counters));
    let reasons = [all.lost, all.queue_full, all.waited, all.cut, all.refused, all.duplicated, all.corrupted];
    assert!(reasons.iter().all(|count| *count > 0) && all.overload == 0, "{all:?}");
    let strays = |count: fn(&Strays) -> u64| totals.iter().map(|(_, strays)| count(strays)).sum::<u64>();
    let kinds: [fn(&Strays) -> u64; 5] =
        [|s| s.spoofed, |s| s.unreachable, |s| s.expired, |s| s.too_big, |s| s.answered];
    assert!(kinds.into_iter().map(strays).all(|count| count > 0), "{totals:?}");
}

#[test]
fn packets_beyond_the_memory_of_the_lab_are_counted() {
    let spec = LabSpec::sample(&[("a", 10), ("b", 20)], 2, &[("a", "b", 0.0)]);
    let (mut traffic, ports, hosts) = lab_of(&LabSpec { mtu: 576, ..spec });
    // Nothing comes out while this test runs, and each packet is two.
    let long = LinkShape { delay_ms: 3_600_000.0, duplicate: 1.0, ..LinkShape::default() };
    traffic.links.set_shape(0, 1, long);
    let most = u64::try_from(IN_FLIGHT_MAX).unwrap();
    let mut outside = Outside::default();
    while outside.sent < most / 2 + 100 {
        for _ in 0..8 {
            hosts[0].send(&packet(v4(10, 11), v4(20, 12), 64, b"payload")).unwrap();
            outside.sent += 1;
        }
        assert!(traffic.read(&ports, 0));
        traffic.deliver(&ports);
        outside.receive(&hosts);
    }
    outside.assert_conserved(&traffic, "full");
    let overload = counters(&traffic).overload;
    assert_eq!((traffic.flight.len(), overload), (IN_FLIGHT_MAX, 2 * outside.sent - most));
    assert_eq!(traffic.links.overload(), overload);
}

type Address = fn(u8, u8) -> IpAddr;

/// Addresses of a protocol, and the length of its header.
const FAMILIES: [(Address, usize); 2] = [(v4, HEADER_BYTES_V4), (v6, HEADER_BYTES_V6)];

/// Sends a packet over a link without delay, which must deliver it twice.
fn twice(traffic: &mut Traffic, ports: &Ports, hosts: &[UnixDatagram], sent: &[u8]) -> [Vec<u8>; 2] {
    hosts[0].send(sent).unwrap();
    assert!(traffic.read(ports, 0));
    traffic.deliver(ports);
    let both = [(); 2].map(|()| received(&hosts[3]).expect("a packet and its copy"));
    assert_eq!(received(&hosts[3]), None, "more than a packet and its copy");
    both
}

#[test]
fn a_copy_is_its_original_byte_for_byte() {
    for (address, _) in FAMILIES {
        let (mut traffic, ports, hosts) = lab();
        traffic.links.set_shape(0, 1, LinkShape { duplicate: 1.0, ..LinkShape::default() });
        for number in 0..50_u8 {
            let mut sent =
                packet(address(10, 11), address(20, 12), 64, &vec![number; 9 + usize::from(number)]);
            let both = twice(&mut traffic, &ports, &hosts, &sent);
            take_hop(&mut sent);
            assert_eq!(both, [sent.clone(), sent]);
        }
        assert_eq!(counters(&traffic).duplicated, 50);
    }
}

/// The header stays right, one bit of what it carries is another, and nobody makes its checksum right again. A copy is
/// damaged in the same place.
#[test]
fn a_damaged_packet_differs_in_one_bit_of_what_it_carries() {
    for (address, header) in FAMILIES {
        let (mut traffic, ports, hosts) = lab();
        traffic.links.set_shape(0, 1, LinkShape { duplicate: 1.0, corrupt: 1.0, ..LinkShape::default() });
        let mut places = std::collections::BTreeSet::new();
        for number in 0..100 {
            let mut sent = packet(address(10, 11), address(20, 12), 64, &[number; 60]);
            let [damaged, copy] = twice(&mut traffic, &ports, &hosts, &sent);
            take_hop(&mut sent);
            assert_eq!(damaged, copy);
            assert_eq!((damaged.len(), &damaged[..header]), (sent.len(), &sent[..header]));
            let differing = sent.iter().zip(&damaged).map(|(sent, got)| (sent ^ got).count_ones());
            assert_eq!(differing.sum::<u32>(), 1, "packet {number}");
            assert_ne!(checksum([&sent[header..]]), checksum([&damaged[header..]]));
            places.extend(sent.iter().zip(&damaged).position(|(sent, got)| sent != got));
        }
        // 60 bytes, 100 draws: on average 48 of them are hit.
        assert!(places.len() > 25, "always the same places: {places:?}");
        assert_eq!(counters(&traffic).corrupted, 100);
    }
}

#[test]
fn packets_overtake_on_request_only() {
    for (reorder, in_order) in [(0.0, true), (0.2, false)] {
        let (mut traffic, ports, hosts) = lab();
        let jitter = Some(Jitter::normal(5.0));
        traffic.links.set_shape(
            0,
            1,
            LinkShape { delay_ms: 1_000.0, jitter, reorder, ..LinkShape::default() },
        );
        let sent: Vec<_> =
            (0..200_u8).map(|number| packet(v4(10, 11), v4(20, 12), 64, &[number; 20])).collect();
        for packet in &sent {
            hosts[0].send(packet).unwrap();
            assert!(traffic.read(&ports, 0));
        }
        let due = std::iter::from_fn(|| traffic.flight.pop_due(u64::MAX));
        let mut numbers: Vec<u8> = due.map(|due| due.packet()[HEADER_BYTES_V4]).collect();
        assert_eq!(numbers.is_sorted(), in_order, "{numbers:?}");
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..200), "each arrives once");
    }
}
