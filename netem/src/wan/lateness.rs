//! How late packets were handed over, against the time that the model gave: the emulator's own error. A machine that
//! is too busy makes links longer than configured; a result that was measured meanwhile is marked invalid.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::error::LabError;

/// Longest lateness that is told apart, nanoseconds: a minute.
const LATENESS_MAX_NS: u64 = 60_000_000_000;

/// How much later than due packets were handed over, in some period.
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
}

impl Lateness {
    /// This, when a packet was looked at: a backend that sees none (the kernel's) does not know, and 0 would be a claim.
    pub fn known(&self) -> Option<Self> {
        (self.count > 0).then_some(*self)
    }

    /// Whether results of this period count: at most one packet in a hundred was later than `bound`
    /// (`lab.lateness_p99_max_ms`). A period without packets made nobody late.
    pub fn valid(&self, bound: Duration) -> bool {
        self.count == 0 || self.p99_us <= bound.as_secs_f64() * 1e6
    }
}

/// The lateness of all packets until some moment: the start of a period.
#[derive(Clone, Debug)]
pub struct LatenessMark(Histogram<u64>);

impl LatenessMark {
    /// The lateness of the packets from `start` to this mark; `start` is an earlier mark of the same lab (of another
    /// lab: of all packets until this mark).
    pub fn since(&self, start: &LatenessMark) -> Lateness {
        let mut period = self.0.clone();
        match period.subtract(&start.0) {
            Ok(()) => summary(&period),
            Err(_) => summary(&self.0),
        }
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

    /// A copy, of some 40 kB.
    pub(crate) fn mark(&self) -> LatenessMark {
        LatenessMark(self.0.clone())
    }

    pub(crate) fn summary(&self) -> Lateness {
        summary(&self.0)
    }
}

fn summary(histogram: &Histogram<u64>) -> Lateness {
    Lateness {
        p50_us: micros(histogram.value_at_quantile(0.5)),
        p99_us: micros(histogram.value_at_quantile(0.99)),
        max_us: micros(histogram.max()),
        count: histogram.len(),
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
        let start = log.mark();
        assert!(!log.summary().valid(BOUND), "the start was late");
        (0..1_000).for_each(|_| log.record(50_000));
        let period = log.mark().since(&start);
        assert_eq!(period.count, 1_000);
        assert!(period.valid(BOUND) && period.max_us < 60.0, "{period:?}");
        assert!(!log.summary().valid(BOUND), "all in all it was late");
    }

    #[test]
    fn one_packet_in_a_hundred_may_be_late() {
        for (late, valid) in [(0, true), (10, true), (11, false), (1_000, false)] {
            let mut log = LatenessLog::new().unwrap();
            (0..1_000).for_each(|packet| log.record(if packet < late { 4_000_000 } else { 50_000 }));
            assert_eq!(log.summary().valid(BOUND), valid, "{late} of 1000");
        }
        assert!(Lateness::default().valid(BOUND), "no packet");
    }
}
