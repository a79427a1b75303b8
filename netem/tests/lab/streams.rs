//! Streams of packets: a train through live changes (SIM-5), bulk TCP, a host that pulls its cable.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{sleep, spawn};
use std::time::Duration;

use farquorum_config::LinkShape;
use farquorum_netem::clock;
use farquorum_netem::lab::{DeviceKind, in_netns};

use crate::harness::{lab, wait_until};
use crate::network::{address, passes, socket};

/// SIM-5: a train of packets through two changes; each has at least the delay in force when it was sent, none is
/// lost, none overtakes, and a change is in force within 10 ms.
pub(crate) fn live_change() {
    const PACKETS: u64 = 400;
    let lab = lab(None);
    let (receiver, sender) = (socket(&lab, "gcp-11"), socket(&lab, "aws-11"));
    receiver.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    sender.connect(receiver.local_addr().expect("an address")).expect("a route");
    // Read as they arrive: (number, sent, received).
    let receiving = spawn(move || {
        let mut stamp = [0; 16];
        let field =
            |stamp: &[u8; 16], at: usize| u64::from_be_bytes(stamp[at..at + 8].try_into().expect("8 bytes"));
        let mut receive = |_| {
            receiver.recv(&mut stamp).expect("every packet arrives");
            (field(&stamp, 0), field(&stamp, 8), clock::now_ns())
        };
        (0..PACKETS).map(&mut receive).collect::<Vec<_>>()
    });
    let sending = spawn(move || {
        for number in 0..PACKETS {
            let stamp = [number.to_be_bytes(), clock::now_ns().to_be_bytes()].concat();
            sender.send(&stamp).expect("a packet sent");
            sleep(Duration::from_millis(1));
        }
    });
    let wan = lab.control();
    // (when, how long a packet takes at least from then on): a change counts from its call's start when it makes
    // the link faster, from its end when it makes it slower.
    let mut least = vec![(0, 25.0)];
    let mut took = Vec::new();
    for delay_ms in [40.0, 5.0] {
        sleep(Duration::from_millis(150));
        let start_ns = clock::now_ns();
        let shape = LinkShape { delay_ms, ..LinkShape::default() };
        took.push(wan.set_link("aws", "gcp", shape).expect("a change"));
        let slower = least.last().is_some_and(|(_, before)| delay_ms > *before);
        least.push((if slower { clock::now_ns() } else { start_ns }, delay_ms));
    }
    let mut delays_ms = Vec::new();
    sending.join().expect("no panic");
    for (expected, (number, sent_ns, received_ns)) in (0..).zip(receiving.join().expect("no panic")) {
        assert_eq!(number, expected, "a packet was overtaken");
        let delay_ms = (received_ns - sent_ns) as f64 / 1e6;
        let (_, least_ms) = least.iter().rev().find(|(since_ns, _)| *since_ns <= sent_ns).expect("a delay");
        assert!(delay_ms >= *least_ms, "packet {number} took {delay_ms} ms, at least {least_ms}");
        delays_ms.push(delay_ms);
    }
    println!(
        "    changes took {took:?}; first {:.2} ms, last {:.2} ms",
        delays_ms[0],
        delays_ms[delays_ms.len() - 1]
    );
    assert!(took.iter().min().is_some_and(|took| *took <= Duration::from_millis(10)), "{took:?}");
    assert!(delays_ms[delays_ms.len() - 1] < 25.0, "the second change never showed");
    lab.stop();
}

/// Bulk TCP arrives whole, in packets of the configured size: no offload puts many packets into one.
pub(crate) fn bulk(kind: Option<DeviceKind>) {
    const BYTES: usize = 4 << 20;
    let lab = lab(kind);
    let target = SocketAddr::from((address(&lab, "gcp-11"), 7_000));
    let listener = in_netns(lab.netns("gcp-11").expect("a host"), move || TcpListener::bind(target));
    let listener =
        listener.expect("a thread").join().expect("no panic").expect("a namespace").expect("a port");
    let sent: Vec<u8> = (0..BYTES).map(|at| (at % 251) as u8).collect();
    let receiving = spawn(move || {
        let mut received = Vec::new();
        listener.accept().expect("a connection").0.read_to_end(&mut received).expect("all bytes");
        received
    });
    let connecting = in_netns(lab.netns("aws-11").expect("a host"), move || TcpStream::connect(target));
    let mut stream =
        connecting.expect("a thread").join().expect("no panic").expect("a namespace").expect("a connection");
    let start_ns = clock::now_ns();
    stream.write_all(&sent).expect("all bytes taken");
    drop(stream);
    assert!(receiving.join().expect("no panic") == sent, "the bytes differ");
    println!("    4 MiB in {} ms", (clock::now_ns() - start_ns) / 1_000_000);
    let links = lab.control().links().expect("a WAN");
    let link = links.iter().find(|link| link.from == "aws" && link.to == "gcp").expect("a link");
    println!("    {:?}", link.counters);
    let counters = link.counters;
    assert!(counters.offered_bytes <= counters.offered * 1_500 && counters.offered_bytes > BYTES as u64);
    assert_eq!((counters.overload, counters.refused), (0, 0));
    assert_eq!(lab.control().strays().expect("a WAN").before_wan, 0);
    lab.stop();
}

/// A host that removes its device is cut off; the others go on, and the WAN does not spin.
pub(crate) fn removed_device(kind: Option<DeviceKind>) {
    let lab = lab(kind);
    lab.unplug("aws-12").expect("a device to delete");
    assert!(passes(&lab, "aws-11", "gcp-11"));
    let cpu = || lab.control().cpu_time().expect("a WAN");
    let before = cpu();
    assert!(
        !wait_until(Duration::from_millis(300), || cpu() - before > Duration::from_millis(200)),
        "the WAN spins"
    );
    lab.stop();
}
