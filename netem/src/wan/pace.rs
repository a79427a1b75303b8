//! How long the WAN's thread sleeps. Pure.
//!
//! A sleeping thread wakes 50 to 300 us late, so the thread sleeps until shortly before a packet is due and then
//! polls. Polling all the time would take the core from the very programs whose packets it carries (on two cores
//! that made deliveries worst of all), so polling draws on a budget: a quarter of the time.

/// Polling starts this long before a packet is due.
const MARGIN_NS: u64 = 80_000;
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

/// The polling budget.
#[derive(Debug)]
pub(crate) struct Pace {
    budget_ns: u64,
    last_ns: u64,
    polling: bool,
}

impl Pace {
    pub(crate) fn new(now_ns: u64) -> Pace {
        Pace { budget_ns: BUDGET_MAX_NS, last_ns: now_ns, polling: false }
    }

    /// The next wait, when the next packet is due at `next_ns`.
    pub(crate) fn wait(&mut self, now_ns: u64, next_ns: Option<u64>) -> Wait {
        self.account(now_ns);
        let wait = match next_ns.map(|next_ns| next_ns.saturating_sub(now_ns)) {
            None => Wait::Idle,
            Some(0) => Wait::Poll,
            Some(left_ns) if left_ns > MARGIN_NS => {
                Wait::Sleep((left_ns - MARGIN_NS).saturating_sub(left_ns / SLACK_SHARE).max(1))
            }
            Some(left_ns) if self.budget_ns < left_ns => Wait::Sleep(left_ns),
            Some(_) => Wait::Poll,
        };
        self.polling = wait == Wait::Poll;
        wait
    }

    fn account(&mut self, now_ns: u64) {
        let passed_ns = now_ns.saturating_sub(self.last_ns);
        self.last_ns = now_ns;
        let spent_ns = if self.polling { passed_ns } else { 0 };
        let earned_ns = passed_ns / BUDGET_SHARE;
        self.budget_ns = (self.budget_ns + earned_ns).saturating_sub(spent_ns).min(BUDGET_MAX_NS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeps_then_polls_then_delivers() {
        let mut pace = Pace::new(0);
        assert_eq!(pace.wait(0, None), Wait::Idle);
        assert_eq!(pace.wait(0, Some(10_000_000)), Wait::Sleep(10_000_000 - MARGIN_NS - 100_000));
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
}
