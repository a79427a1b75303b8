//! Packets that the kernel drops before the WAN reads them: none in a run that the emulator carries, each counted in one
//! that it does not.

use std::thread;
use std::time::Duration;

use farquorum_netem::lab::DeviceKind;

use crate::harness::{lab, wait_until};
use crate::network::socket;

const PATIENCE: Duration = Duration::from_secs(10);
/// What a queue of the usual length takes at once.
const BURST: u64 = 500;
/// Packets that nobody here sent: the kernel's own reports of IPv6 multicast groups.
const EXTRA_MAX: u64 = 3;

/// A host sends more than the queue to the WAN takes: every packet is offered to its link or counted as lost before it,
/// and what was measured meanwhile does not count.
pub(crate) fn counted(kind: Option<DeviceKind>) {
    let lab = lab(kind);
    let wan = lab.control();
    let (receiver, sender) = (socket(&lab, "gcp-11"), socket(&lab, "aws-11"));
    sender.connect(receiver.local_addr().expect("an address")).expect("a route");
    let mut sent = 0;
    let send = |_| assert_eq!(sender.send(&[0; 1_000]).expect("a packet sent"), 1_000);
    let mut burst = || {
        // Two at once: with one, a reader that takes its turn before everybody else keeps up.
        thread::scope(|scope| {
            let half = || (0..BURST / 2).for_each(send);
            (0..2).for_each(|_| drop(scope.spawn(half)));
        });
        sent += BURST;
        sent
    };
    let offered = || {
        let links = wan.links().expect("a WAN");
        let link = links.iter().find(|link| link.from == "aws" && link.to == "gcp").expect("a link");
        link.counters.offered
    };
    let dropped = || wan.strays().expect("a WAN").before_wan;

    let start = wan.lateness_mark().expect("a WAN");
    let all = burst();
    assert!(wait_until(PATIENCE, || offered() == all), "{} of {all} offered", offered());
    assert_eq!((dropped(), wan.lateness_since(&start).expect("a WAN").lost), (0, 0));

    let start = wan.lateness_mark().expect("a WAN");
    lab.narrow("aws-11").expect("a short queue");
    let mut all = all;
    let overrun = wait_until(PATIENCE, || {
        all = burst();
        dropped() > 0
    });
    assert!(overrun, "{all} packets, none dropped");
    let accounted = || offered() + dropped();
    let complete = wait_until(PATIENCE, || (all..=all + EXTRA_MAX).contains(&accounted()));
    println!("    {all} sent, {} offered, {} dropped before", offered(), dropped());
    assert!(complete, "{all} packets sent, {} accounted for", accounted());
    let period = wan.lateness_since(&start).expect("a WAN");
    assert!(period.lost > 0 && !period.valid(PATIENCE), "{period:?}");

    let start = wan.lateness_mark().expect("a WAN");
    assert_eq!(wan.lateness_since(&start).expect("a WAN").lost, 0, "another period");
    lab.stop();
}
