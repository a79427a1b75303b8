//! Why a netem dropped packets. The kernel counts drops and not their reasons; but they have one reason at a time, as
//! long as the counter is read before each change. Pure.
//!
//! Limits: with both loss and a rate configured, a full queue cannot be told from loss and is counted as loss; and
//! what is dropped between reading and changing, microseconds, is counted for the reason after the change.

use super::qdisc::Passed;
use crate::wan::Counters;

/// Why a netem drops at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Lost,
    QueueFull,
    Cut,
}

/// The drops of one link by reason.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ledger {
    /// Invariant: the sum of the drops below.
    seen: u64,
    lost: u64,
    queue_full: u64,
    cut: u64,
}

impl Ledger {
    /// Books what was dropped since the last time.
    pub(super) fn book(&mut self, passed: &Passed, why: Why) {
        let new = passed.dropped.saturating_sub(self.seen);
        self.seen += new;
        match why {
            Why::Lost => self.lost += new,
            Why::QueueFull => self.queue_full += new,
            Why::Cut => self.cut += new,
        }
    }

    /// What passed, with reasons. Bytes of dropped packets are not counted by the kernel.
    pub(super) fn counters(&self, passed: &Passed) -> Counters {
        Counters {
            offered: passed.packets + passed.inside + self.seen,
            offered_bytes: passed.bytes,
            delivered: passed.packets,
            delivered_bytes: passed.bytes,
            lost: self.lost,
            queue_full: self.queue_full,
            cut: self.cut,
            ..Counters::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_booked_for_the_reason_in_force() {
        let mut ledger = Ledger::default();
        let passed = |dropped| Passed { packets: 10, bytes: 1_000, dropped, inside: 3 };
        for (dropped, why) in [(2, Why::QueueFull), (7, Why::Cut), (7, Why::Lost), (8, Why::Lost)] {
            ledger.book(&passed(dropped), why);
        }
        let counters = ledger.counters(&passed(8));
        assert_eq!((counters.queue_full, counters.cut, counters.lost), (2, 5, 1));
        assert_eq!((counters.offered, counters.delivered, counters.delivered_bytes), (21, 10, 1_000));
    }
}
