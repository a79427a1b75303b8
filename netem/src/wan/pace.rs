//! How long the WAN's thread sleeps. Pure.
//!
//! A sleeping thread wakes 20 to 300 us late, which depends on the machine and on what else it does, so the thread
//! sleeps until shortly before a packet is due and then polls. How long before follows from how late the last sleeps
//! ended. Polling all the time would take the core from the very programs whose packets it carries (on two cores
//! that made deliveries worst of all), so polling draws on a budget: a quarter of the time.

/// Polling starts at least, and at most, this long before a packet is due.
const MARGIN_NS: std::ops::RangeInclusive<u64> = 40_000..=400_000;
/// Where the margin starts, before any sleep was seen.
const MARGIN_FIRST_NS: u64 = 80_000;
/// A sleep that ended later than the margin lengthens it by so much;
const LONGER_NS: u64 = 10_000;
/// one that did not shortens it by so much: nine of ten sleeps end in time.
const SHORTER_NS: u64 = LONGER_NS / 9;
/// The kernel may add a share of a sleep to it (0.1 % for an ordinary thread, 0.5 % for a niced one); long sleeps
/// end earlier by twice the larger share and are followed by a short one.
const SLACK_SHARE: u64 = 100;
/// The budget refills by one part in this of the time that passes.
const BUDGET_SHARE: u64 = 4;
/// Most that can be saved up: a few packets' worth, so that a pause does not pay for a long spin.
const BUDGET_MAX_NS: u64 = 1_000_000;

/// What to do until the next packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Nothing is in flight: sleep until something happens.
    Idle,
    /// Sleep at most so many nanoseconds.
    Sleep(u64),
    /// Look and come back at once.
    Poll,
}

/// The polling budget, and how early to wake.
#[derive(Debug)]
pub(crate) struct Pace {
    budget_ns: u64,
    last_ns: u64,
    margin_ns: u64,
    last: Wait,
}

impl Pace {
    pub(crate) fn new(now_ns: u64) -> Pace {
        Pace { budget_ns: BUDGET_MAX_NS, last_ns: now_ns, margin_ns: MARGIN_FIRST_NS, last: Wait::Idle }
    }

    /// The next wait, when the next packet is due at `next_ns`.
    pub(crate) fn wait(&mut self, now_ns: u64, next_ns: Option<u64>) -> Wait {
        self.account(now_ns);
        let wait = match next_ns.map(|next_ns| next_ns.saturating_sub(now_ns)) {
            None => Wait::Idle,
            Some(0) => Wait::Poll,
            Some(left_ns) if left_ns > self.margin_ns => {
                Wait::Sleep((left_ns - self.margin_ns).saturating_sub(left_ns / SLACK_SHARE).max(1))
            }
            Some(left_ns) if self.budget_ns < left_ns => Wait::Sleep(left_ns),
            Some(_) => Wait::Poll,
        };
        self.last = wait;
        wait
    }

    fn account(&mut self, now_ns: u64) {
        let passed_ns = now_ns.saturating_sub(self.last_ns);
        self.last_ns = now_ns;
        let spent_ns = if self.last == Wait::Poll { passed_ns } else { 0 };
        let earned_ns = passed_ns / BUDGET_SHARE;
        self.budget_ns = (self.budget_ns + earned_ns).saturating_sub(spent_ns).min(BUDGET_MAX_NS);
        if let Wait::Sleep(asked_ns) = self.last {
            self.learn(asked_ns, passed_ns);
        }
    }

    /// A sleep that a packet ended says nothing. A long one is late by its share of slack as well, which is allowed for.
    fn learn(&mut self, asked_ns: u64, slept_ns: u64) {
        let Some(late_ns) = slept_ns.checked_sub(asked_ns) else { return };
        let margin_ns = if late_ns.saturating_sub(asked_ns / SLACK_SHARE) > self.margin_ns {
            self.margin_ns + LONGER_NS
        } else {
            self.margin_ns - SHORTER_NS
        };
        self.margin_ns = margin_ns.clamp(*MARGIN_NS.start(), *MARGIN_NS.end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeps_then_polls_then_delivers() {
        let mut pace = Pace::new(0);
        assert_eq!(pace.wait(0, None), Wait::Idle);
        assert_eq!(pace.wait(0, Some(10_000_000)), Wait::Sleep(10_000_000 - MARGIN_FIRST_NS - 100_000));
        assert_eq!(pace.wait(9_950_000, Some(10_000_000)), Wait::Poll);
        assert_eq!(pace.wait(10_000_000, Some(10_000_000)), Wait::Poll);
    }

    #[test]
    fn a_stream_of_packets_does_not_poll_all_the_time() {
        let mut pace = Pace::new(0);
        let mut polled_ns = 0;
        for now_ns in (0..1_000_000_000).step_by(10_000) {
            // Always a packet due within the margin.
            if pace.wait(now_ns, Some(now_ns + 50_000)) == Wait::Poll {
                polled_ns += 10_000;
            }
        }
        assert!(polled_ns < 300_000_000, "polled {polled_ns} ns of a second");
    }

    /// Sleeps that end `late_ns` late, until the margin no longer changes.
    fn settled(late_ns: u64) -> u64 {
        let (mut pace, mut now_ns) = (Pace::new(0), 0);
        for _ in 0..1_000 {
            let Wait::Sleep(asked_ns) = pace.wait(now_ns, Some(now_ns + 1_000_000)) else {
                panic!("does not sleep")
            };
            now_ns += asked_ns + late_ns;
        }
        pace.margin_ns
    }

    #[test]
    fn wakes_as_early_as_sleeps_end_late() {
        assert_eq!(settled(0), *MARGIN_NS.start());
        let margin_ns = settled(250_000);
        assert!((230_000..=260_000).contains(&margin_ns), "{margin_ns}");
        assert_eq!(settled(3_000_000), *MARGIN_NS.end());
    }

    #[test]
    fn a_sleep_that_a_packet_ended_teaches_nothing() {
        let mut pace = Pace::new(0);
        for now_ns in (0..100_000_000).step_by(1_000) {
            pace.wait(now_ns, Some(now_ns + 1_000_000));
        }
        assert_eq!(pace.margin_ns, MARGIN_FIRST_NS);
    }
}
