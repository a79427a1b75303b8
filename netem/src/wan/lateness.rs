//! How late packets were handed over, against the time that the model gave, and how many were lost that no model lost:
//! the emulator's own errors. A machine that is too busy makes links longer than configured, and a sender that is too
//! fast makes them lose more; a result that was measured meanwhile is marked invalid.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::error::LabError;

/// Longest lateness that is told apart, nanoseconds: a minute.
const LATENESS_MAX_NS: u64 = 60_000_000_000;

/// How much later than due packets were handed over in some period, and how many never were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Lateness {
    /// Median, microseconds.
    pub p50_us: f64,
    /// 99th percentile, microseconds.
    pub p99_us: f64,
    /// Largest, microseconds.
    pub max_us: f64,
    /// Packets measured.
    pub count: u64,
    /// Packets that the emulator itself lost: the kernel dropped them before they were read
    /// ([`super::Strays::before_wan`]), or too many were in flight ([`super::Counters::overload`]).
    pub lost: u64,
}

impl Lateness {
    /// This, when a packet was looked at: a backend that sees none (the kernel's) does not know, and 0 would be a claim.
    pub fn known(&self) -> Option<Self> {
        (self.count > 0).then_some(*self)
    }

    /// Whether results of this period count: the emulator lost no packet, and at most one in a hundred was later than
    /// `bound` (`lab.lateness_p99_max_ms`). A period without packets made nobody late.
    pub fn valid(&self, bound: Duration) -> bool {
        self.lost == 0 && (self.count == 0 || self.p99_us <= bound.as_secs_f64() * 1e6)
    }
}

/// The lateness of all packets until some moment: the start of a period.
#[derive(Clone, Debug)]
pub struct LatenessMark {
    late: Histogram<u64>,
    lost: u64,
}

impl LatenessMark {
    /// The lateness of the packets from `start` to this mark; `start` is an earlier mark of the same lab (of another
    /// lab: of all packets until this mark).
    pub fn since(&self, start: &LatenessMark) -> Lateness {
        let mut period = self.late.clone();
        match period.subtract(&start.late) {
            Ok(()) => summary(&period, self.lost.saturating_sub(start.lost)),
            Err(_) => self.until(),
        }
    }

    /// The lateness of all packets until this mark.
    pub(super) fn until(&self) -> Lateness {
        summary(&self.late, self.lost)
    }

    /// Adds packets that were lost where the WAN's thread does not see it.
    pub(super) fn with_lost(self, lost: u64) -> LatenessMark {
        LatenessMark { lost: self.lost + lost, ..self }
    }
}

/// Records lateness without allocating.
#[derive(Debug)]
pub(crate) struct LatenessLog(Histogram<u64>);

impl LatenessLog {
    pub(crate) fn new() -> Result<LatenessLog, LabError> {
        let histogram = Histogram::new_with_bounds(1, LATENESS_MAX_NS, 2);
        Ok(LatenessLog(histogram.map_err(|error| LabError::Spec(format!("lateness histogram: {error}")))?))
    }

    pub(crate) fn record(&mut self, late_ns: u64) {
        self.0.saturating_record(late_ns);
    }

    /// A copy, of some 40 kB, with how many packets were lost until now.
    pub(crate) fn mark(&self, lost: u64) -> LatenessMark {
        LatenessMark { late: self.0.clone(), lost }
    }
}

fn summary(histogram: &Histogram<u64>, lost: u64) -> Lateness {
    Lateness {
        p50_us: micros(histogram.value_at_quantile(0.5)),
        p99_us: micros(histogram.value_at_quantile(0.99)),
        max_us: micros(histogram.max()),
        count: histogram.len(),
        lost,
    }
}

/// Nanoseconds to microseconds; the histogram's bound keeps them far below 2^53.
#[allow(clippy::as_conversions, reason = "integer to float has no other form for 64 bits")]
fn micros(ns: u64) -> f64 {
    ns as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_millis(3);

    #[test]
    fn a_period_is_judged_by_itself() {
        let mut log = LatenessLog::new().unwrap();
        (0..1_000).for_each(|_| log.record(20_000_000));
        let start = log.mark(7);
        assert!(!log.mark(0).until().valid(BOUND), "the start was late");
        (0..1_000).for_each(|_| log.record(50_000));
        let period = log.mark(7).since(&start);
        assert_eq!(period.count, 1_000);
        assert!(period.valid(BOUND) && period.max_us < 60.0, "{period:?}");
        assert!(!log.mark(0).until().valid(BOUND), "all in all it was late");
    }

    #[test]
    fn one_packet_in_a_hundred_may_be_late() {
        for (late, valid) in [(0, true), (10, true), (11, false), (1_000, false)] {
            let mut log = LatenessLog::new().unwrap();
            (0..1_000).for_each(|packet| log.record(if packet < late { 4_000_000 } else { 50_000 }));
            assert_eq!(log.mark(0).until().valid(BOUND), valid, "{late} of 1000");
        }
        assert!(Lateness::default().valid(BOUND), "no packet");
    }

    #[test]
    fn one_packet_that_the_emulator_lost_is_too_many() {
        let log = LatenessLog::new().unwrap();
        let start = log.mark(2).with_lost(3);
        let [same, more] = [3, 4].map(|lost| log.mark(2).with_lost(lost).since(&start));
        assert_eq!((same.lost, more.lost, more.known()), (0, 1, None));
        assert!(same.valid(BOUND) && !more.valid(BOUND));
    }
}
