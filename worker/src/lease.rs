//! Which attempts this worker holds, and for how long it may still run them (WRK-5). Pure: time is an argument.
//!
//! A grant holds for `lease` on the leader's clock, counted from when the leader applied the last heartbeat. The worker
//! counts from when it *sent* that heartbeat, which is earlier, and stops at half: so it has long stopped when the
//! leader may grant the task anew. This saves work; that a late result does no harm rests on the attempt number.

use std::collections::BTreeMap;
use std::time::Duration;

use farquorum_core::AttemptRef;
use tokio_util::sync::CancellationToken;

/// The attempts that are held.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    held: BTreeMap<AttemptRef, Held>,
}

#[derive(Debug)]
struct Held {
    /// When the heartbeat that renewed it last was sent; before the first, when the grant came.
    renewed: Duration,
    stop: CancellationToken,
}

impl Leases {
    /// Takes an attempt; `stop` is cancelled when it must end.
    pub(crate) fn take(&mut self, attempt: AttemptRef, now: Duration, stop: CancellationToken) {
        self.held.insert(attempt, Held { renewed: now, stop });
    }

    /// Forgets an attempt that is over.
    pub(crate) fn release(&mut self, attempt: AttemptRef) {
        self.held.remove(&attempt);
    }

    /// All attempts, for a heartbeat.
    pub(crate) fn attempts(&self) -> Vec<AttemptRef> {
        self.held.keys().copied().collect()
    }

    /// A heartbeat with these attempts, sent at `sent_at`, was answered: all but the lost ones are renewed, and the
    /// lost ones stop.
    pub(crate) fn renew(&mut self, sent: &[AttemptRef], lost: &[AttemptRef], sent_at: Duration) {
        for attempt in lost {
            if let Some(held) = self.held.get(attempt) {
                held.stop.cancel();
            }
        }
        for attempt in sent.iter().filter(|attempt| !lost.contains(attempt)) {
            if let Some(held) = self.held.get_mut(attempt) {
                held.renewed = held.renewed.max(sent_at);
            }
        }
    }

    /// Stops the attempts that were not renewed for half a lease; returns those that this call stopped.
    pub(crate) fn stop_overdue(&mut self, now: Duration, lease: Duration) -> Vec<AttemptRef> {
        let overdue = self
            .held
            .iter()
            .filter(|(_, held)| now.saturating_sub(held.renewed) >= lease / 2 && !held.stop.is_cancelled());
        overdue
            .map(|(attempt, held)| {
                held.stop.cancel();
                *attempt
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use farquorum_core::{Attempt, TaskId};

    use super::*;

    const LEASE: Duration = Duration::from_secs(20);

    fn attempt(task: u64) -> AttemptRef {
        AttemptRef { task: TaskId(task), attempt: Attempt(100 + task) }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn half_a_lease_after_the_last_renewed_heartbeat_was_sent_it_stops() {
        let mut leases = Leases::default();
        let stop = CancellationToken::new();
        leases.take(attempt(1), at(0), stop.clone());
        leases.renew(&[attempt(1)], &[], at(5));
        assert!(leases.stop_overdue(at(14), LEASE).is_empty());
        assert_eq!(leases.stop_overdue(at(15), LEASE), [attempt(1)]);
        assert!(stop.is_cancelled());
        assert!(leases.stop_overdue(at(16), LEASE).is_empty(), "reported once");
    }

    #[test]
    fn a_late_answer_to_an_early_heartbeat_renews_nothing() {
        let mut leases = Leases::default();
        leases.take(attempt(1), at(0), CancellationToken::new());
        leases.renew(&[attempt(1)], &[], at(6));
        leases.renew(&[attempt(1)], &[], at(2));
        assert!(leases.stop_overdue(at(15), LEASE).is_empty());
        assert_eq!(leases.stop_overdue(at(16), LEASE), [attempt(1)]);
    }

    #[test]
    fn an_attempt_that_the_heartbeat_did_not_carry_is_not_renewed() {
        let mut leases = Leases::default();
        leases.take(attempt(1), at(0), CancellationToken::new());
        leases.take(attempt(2), at(0), CancellationToken::new());
        leases.renew(&[attempt(1)], &[], at(9));
        assert_eq!(leases.stop_overdue(at(10), LEASE), [attempt(2)]);
    }

    #[test]
    fn lost_attempts_stop_at_once_and_released_ones_are_gone() {
        let mut leases = Leases::default();
        let (first, second) = (CancellationToken::new(), CancellationToken::new());
        leases.take(attempt(1), at(0), first.clone());
        leases.take(attempt(2), at(0), second.clone());
        leases.renew(&[attempt(1), attempt(2)], &[attempt(1), attempt(7)], at(1));
        assert!(first.is_cancelled() && !second.is_cancelled());
        leases.release(attempt(1));
        assert_eq!(leases.attempts(), [attempt(2)]);
    }
}
