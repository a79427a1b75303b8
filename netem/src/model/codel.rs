//! Controlled delay, CoDel (RFC 8289, section 5): packets are dropped when the wait in the queue has been above a
//! target for a whole interval, then at shrinking distances until the wait is below the target again. The names are
//! those of the RFC. It is asked about each packet in the order in which they leave the queue.

use farquorum_config::Codel as Parameters;

use super::units::{NS_PER_MS, float, whole};

/// Intervals after which an earlier time of dropping says nothing about the next one.
const FORGET_INTERVALS: u64 = 16;

/// State of CoDel. All times are nanoseconds on the model's clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Codel {
    target_ns: u64,
    interval_ns: u64,
    /// When the wait will have been above the target for an interval; none: it is below.
    first_above_ns: Option<u64>,
    dropping: bool,
    /// When the next packet is dropped, while dropping; else when it would have been.
    drop_next_ns: u64,
    /// Packets dropped in this time of dropping.
    count: u32,
    /// `count` at its start.
    last_count: u32,
}

impl Codel {
    /// Takes other parameters; the state goes on.
    pub(super) fn set(&mut self, parameters: Parameters) {
        self.target_ns = whole(parameters.target_ms * NS_PER_MS);
        self.interval_ns = whole(parameters.interval_ms * NS_PER_MS);
    }

    /// Whether the packet that leaves the queue at `now_ns` after a wait is dropped. `standing`: more than one full
    /// packet was in front of it, without which a slow link would drop everything.
    pub(super) fn drops(&mut self, now_ns: u64, wait_ns: u64, standing: bool) -> bool {
        let ok_to_drop = self.above_for_an_interval(now_ns, wait_ns, standing);
        if !ok_to_drop {
            self.dropping = false;
            return false;
        }
        if self.dropping {
            if now_ns < self.drop_next_ns {
                return false;
            }
            self.count = self.count.saturating_add(1);
            self.drop_next_ns = self.control_law(self.drop_next_ns);
            return true;
        }
        self.dropping = true;
        // Soon after the last time of dropping: go on at its rate.
        let delta = self.count.saturating_sub(self.last_count);
        let recently = now_ns.saturating_sub(self.drop_next_ns) < FORGET_INTERVALS * self.interval_ns;
        self.count = if delta > 1 && recently { delta } else { 1 };
        self.last_count = self.count;
        self.drop_next_ns = self.control_law(now_ns);
        true
    }

    fn above_for_an_interval(&mut self, now_ns: u64, wait_ns: u64, standing: bool) -> bool {
        if wait_ns < self.target_ns || !standing {
            self.first_above_ns = None;
            return false;
        }
        let first_above_ns = *self.first_above_ns.get_or_insert(now_ns.saturating_add(self.interval_ns));
        now_ns >= first_above_ns
    }

    /// The next drop: with n drops, sqrt(n) times closer together, which makes a sender of TCP slow down linearly.
    fn control_law(&self, from_ns: u64) -> u64 {
        from_ns.saturating_add(whole(float(self.interval_ns) / f64::from(self.count.max(1)).sqrt()))
    }
}
