//! Streams of packets: a train through live changes (SIM-5), bulk TCP, a host that pulls its cable.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use farquorum_config::LinkShape;
use farquorum_netem::clock;
use farquorum_netem::lab::{DeviceKind, Lab, in_netns};
use farquorum_netem::wan::{WanControl, WanError};

use crate::harness::{lab, wait_until};
use crate::icmp;
use crate::network::{address, host, passes};

/// Changes of a link are in force within this time, in the middle of several.
const IN_FORCE: Duration = Duration::from_millis(10);
/// The slowest of them: on a machine that is busy with other things its caller waits for a turn to hear of it.
const IN_FORCE_MAX: Duration = Duration::from_millis(100);
/// The longest that a packet waits to be read by the WAN, with a wide margin.
const UNREAD: Duration = Duration::from_millis(30);
const PATIENCE: Duration = Duration::from_secs(10);

/// Numbered packets, a millisecond apart, from aws-11 to gcp-11.
struct Train {
    sent: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    sending: JoinHandle<Vec<Sent>>,
    receiving: JoinHandle<Vec<(u64, u64)>>,
}

/// The clock before and after a packet was sent.
#[derive(Clone, Copy)]
struct Sent {
    before_ns: u64,
    after_ns: u64,
}

impl Train {
    fn start(lab: &Lab, ipv6: bool) -> Train {
        let [sender, receiver] = ["aws-11", "gcp-11"]
            .map(|name| icmp::socket(lab, icmp::addresses(host(lab, name))[usize::from(ipv6)], name));
        receiver.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
        sender.connect(receiver.local_addr().expect("an address")).expect("a route");
        let (sent, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (sending, receiving) = ((sent.clone(), stop.clone()), stop.clone());
        let sending = spawn(move || {
            let (sent, stop) = sending;
            let mut all = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let before_ns = clock::now_ns();
                sender.send(&(all.len() as u64).to_be_bytes()).expect("a packet sent");
                all.push(Sent { before_ns, after_ns: clock::now_ns() });
                sent.store(all.len() as u64, Ordering::Relaxed);
                sleep(Duration::from_millis(1));
            }
            all
        });
        // Read as they arrive, until nothing more comes.
        let receiving = spawn(move || {
            let (mut number, mut all) = ([0; 8], Vec::new());
            loop {
                let stopped = receiving.load(Ordering::Relaxed);
                match receiver.recv(&mut number) {
                    Ok(_) => all.push((u64::from_be_bytes(number), clock::now_ns())),
                    Err(_) if stopped => return all,
                    Err(_) => {}
                }
            }
        });
        Train { sent, stop, sending, receiving }
    }

    /// Waits until so many packets more are sent.
    fn go_on(&self, packets: u64) {
        let before = self.sent.load(Ordering::Relaxed);
        assert!(
            wait_until(PATIENCE, || self.sent.load(Ordering::Relaxed) >= before + packets),
            "the train stands"
        );
    }

    /// All packets that were sent, and those that arrived with their time, in the order of their arrival.
    fn end(self) -> (Vec<Sent>, Vec<(u64, u64)>) {
        self.stop.store(true, Ordering::Relaxed);
        (self.sending.join().expect("no panic"), self.receiving.join().expect("no panic"))
    }
}

/// Changes are in force within the time that is promised.
fn assert_fast(mut took: Vec<Duration>) {
    took.sort();
    let (median, slowest) = (took[took.len() / 2], took[took.len() - 1]);
    println!("    {} changes took {median:?} (p50), {slowest:?} at most", took.len());
    assert!(median <= IN_FORCE && slowest <= IN_FORCE_MAX, "{took:?}");
}

/// SIM-5: a train of packets through changes of the delay; each has at least the delay in force when it was sent, none is
/// lost, none overtakes, every change shows, and a change is in force within 10 ms.
pub(crate) fn live_change(ipv6: bool) {
    let lab = lab(None);
    let wan = lab.control();
    let train = Train::start(&lab, ipv6);
    // (when, how long a packet takes at least from then on): a change counts from its call's start when it makes
    // the link faster, from its end when it makes it slower.
    let mut least = vec![(0, 25.0)];
    let mut took = Vec::new();
    for delay_ms in [40.0, 5.0, 30.0, 10.0, 45.0, 5.0, 35.0, 15.0, 5.0] {
        // Packets that arrive after the slow ones before them.
        train.go_on(30);
        sleep(Duration::from_millis(50));
        let start_ns = clock::now_ns();
        let shape = LinkShape { delay_ms, ..LinkShape::default() };
        took.push(wan.set_link("aws", "gcp", shape).expect("a change"));
        let slower = least.last().is_some_and(|(_, before)| delay_ms > *before);
        least.push((if slower { clock::now_ns() } else { start_ns }, delay_ms));
    }
    sleep(Duration::from_millis(50));
    train.go_on(30);
    let (sent, arrived) = train.end();
    assert!(
        arrived.iter().map(|(number, _)| *number).eq(0..sent.len() as u64),
        "lost or overtaken: {arrived:?}"
    );
    // The shortest delay under each.
    let mut shortest = vec![f64::MAX; least.len()];
    for (sent, (number, received_ns)) in sent.iter().zip(arrived) {
        let delay_ms = (received_ns - sent.before_ns) as f64 / 1e6;
        let change = least.iter().rposition(|(since_ns, _)| *since_ns <= sent.before_ns).expect("a delay");
        let least_ms = least[change].1;
        assert!(delay_ms >= least_ms, "packet {number} took {delay_ms} ms, at least {least_ms}");
        shortest[change] = shortest[change].min(delay_ms);
    }
    println!("    shortest delays: {shortest:.2?} ms");
    for (change, pair) in least.windows(2).enumerate() {
        let ((_, before_ms), (_, after_ms)) = (pair[0], pair[1]);
        assert!(
            after_ms > before_ms || shortest[change + 1] < before_ms,
            "{after_ms} ms never showed: {shortest:?}"
        );
    }
    assert_fast(took);
    lab.stop();
}

/// A change of what is cut: in words, how it is made, whether packets pass then.
type CutChange = (&'static str, fn(&WanControl) -> Result<Duration, WanError>, bool);

const CUT_CHANGES: [CutChange; 8] = [
    ("the link cut", |wan| wan.cut("aws", "gcp"), false),
    ("the link healed", |wan| wan.heal("aws", "gcp"), true),
    ("the cloud isolated", |wan| wan.isolate("gcp"), false),
    ("the cloud rejoined", |wan| wan.rejoin("gcp"), true),
    ("the hosts cut", |wan| wan.cut("aws-11", "gcp-11"), false),
    ("the hosts healed", |wan| wan.heal("aws-11", "gcp-11"), true),
    ("the host isolated", |wan| wan.isolate("aws-11"), false),
    ("all healed", WanControl::heal_all, true),
];

/// SIM-5: a train of packets through cuts; what is sent once the call has returned has the new fate, and what was sent
/// before it began the old one. A change is in force within 10 ms.
pub(crate) fn live_cuts(ipv6: bool) {
    let lab = lab(None);
    let wan = lab.control();
    let train = Train::start(&lab, ipv6);
    train.go_on(20);
    // Since when something is so, until when.
    let mut times: Vec<(&str, u64, u64, bool)> = vec![("the start", 0, 0, true)];
    let mut took = Vec::new();
    for (what, change, open) in CUT_CHANGES {
        sleep(UNREAD);
        if let Some((.., until_ns, _)) = times.last_mut() {
            *until_ns = clock::now_ns();
        }
        took.push(change(&wan).expect("a change"));
        times.push((what, clock::now_ns(), u64::MAX, open));
        train.go_on(20);
    }
    let (sent, arrived) = train.end();
    let arrived: BTreeSet<u64> = arrived.into_iter().map(|(number, _)| number).collect();
    for (what, since_ns, until_ns, open) in times {
        let unread_ns = UNREAD.as_nanos() as u64;
        let then = (0_u64..).zip(&sent).filter(|(_, sent)| {
            sent.before_ns >= since_ns && sent.after_ns <= until_ns.saturating_sub(unread_ns)
        });
        let fates: Vec<bool> = then.map(|(number, _)| arrived.contains(&number)).collect();
        assert!(fates.len() >= 10 && fates.iter().all(|arrived| *arrived == open), "{what}: {fates:?}");
    }
    assert_fast(took);
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
