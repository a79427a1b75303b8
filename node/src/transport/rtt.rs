//! Round-trip times of one link as histograms (MEAS-1): since the start, and of the last minute. Pure: times come in
//! as arguments.
//!
//! Histograms and not means: a link's tail is what elections and leases meet. HDR buckets keep three digits at any
//! magnitude, so one size fits a local zone and a satellite; `farquorum measure` asks for the samples themselves.
//! Limits: a probe that was never answered is in none of them (loss shows as a missing count), and whole slots are
//! forgotten, so "the last minute" is 50 to 60 s.

use std::collections::VecDeque;
use std::time::Duration;

use hdrhistogram::Histogram;

/// Longest round trip that is told from longer ones, in microseconds: a minute, beyond any election timeout.
const LONGEST_US: u64 = 60_000_000;

/// Decimal digits that a histogram keeps. Three are 0.1 %, a twentieth of what a comparison tolerates; with 32-bit
/// counts a histogram is 64 KiB, a link has at most `SLOTS + 1` of them.
const DIGITS: u8 = 3;

/// Seconds of one slot of the sliding window.
const SLOT_SECONDS: u64 = 10;

/// Slots of the window: a minute. With probes every heartbeat that is several hundred, enough for a p99.
const SLOTS: usize = 6;

/// What is known of one link's round-trip time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RttSummary {
    /// Of the last probe.
    pub latest: Duration,
    /// Of the last 50 to 60 s; none when no probe was answered in them.
    pub minute: Option<RttQuantiles>,
    /// Since this node started.
    pub total: RttQuantiles,
}

/// A histogram in short. Three significant digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RttQuantiles {
    /// Answered probes.
    pub count: u64,
    /// Least.
    pub min: Duration,
    /// Median.
    pub p50: Duration,
    /// 90th percentile.
    pub p90: Duration,
    /// 99th percentile.
    pub p99: Duration,
    /// Longest.
    pub max: Duration,
}

/// The measured round-trip times of one link.
#[derive(Clone, Debug)]
pub(crate) struct RttHistory {
    latest: Option<Duration>,
    total: Histogram<u32>,
    /// Slot number (of the monotonic clock) and what was measured in it, ascending. Invariant: at most `SLOTS`.
    window: VecDeque<(u64, Histogram<u32>)>,
}

impl Default for RttHistory {
    fn default() -> Self {
        Self { latest: None, total: empty(), window: VecDeque::new() }
    }
}

impl RttHistory {
    /// Adds a measurement that ended at `now`, on a clock that never goes back.
    pub(crate) fn add(&mut self, rtt: Duration, now: Duration) {
        self.latest = Some(rtt);
        let us = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
        self.total.saturating_record(us);
        let slot = slot_of(now);
        if self.window.back().is_none_or(|(last, _)| *last != slot) {
            let oldest = if self.window.len() == SLOTS { self.window.pop_front() } else { None };
            let mut histogram = oldest.map_or_else(empty, |(_, histogram)| histogram);
            histogram.reset();
            self.window.push_back((slot, histogram));
        }
        if let Some((_, histogram)) = self.window.back_mut() {
            histogram.saturating_record(us);
        }
    }

    /// None before the first measurement.
    pub(crate) fn summary(&self, now: Duration) -> Option<RttSummary> {
        let mut minute = empty();
        for (slot, histogram) in &self.window {
            if slot_of(now).saturating_sub(*slot) < u64::try_from(SLOTS).unwrap_or(u64::MAX) {
                // Fails only for a value beyond the bounds, and all histograms here have the same.
                let _same_bounds = minute.add(histogram);
            }
        }
        Some(RttSummary { latest: self.latest?, minute: quantiles(&minute), total: quantiles(&self.total)? })
    }
}

fn slot_of(now: Duration) -> u64 {
    now.as_secs() / SLOT_SECONDS
}

#[allow(
    clippy::expect_used,
    reason = "fails only for bounds or digits out of range, and all three are constants"
)]
fn empty() -> Histogram<u32> {
    Histogram::new_with_bounds(1, LONGEST_US, DIGITS).expect("constant bounds are in range")
}

fn quantiles(histogram: &Histogram<u32>) -> Option<RttQuantiles> {
    let at = |quantile| Duration::from_micros(histogram.value_at_quantile(quantile));
    (!histogram.is_empty()).then(|| RttQuantiles {
        count: histogram.len(),
        min: Duration::from_micros(histogram.min()),
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        max: Duration::from_micros(histogram.max()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    /// Whether a histogram's value stands for this one: three digits.
    fn near(found: Duration, expected: Duration) -> bool {
        found.abs_diff(expected) <= expected / 1000
    }

    #[test]
    fn a_summary_holds_what_was_measured() {
        let mut history = RttHistory::default();
        assert_eq!(history.summary(ms(0)), None);
        (1..=100).for_each(|value| history.add(ms(value), ms(value)));
        let summary = history.summary(ms(100)).unwrap();
        let total = summary.total;
        assert_eq!((summary.latest, total.count, summary.minute), (ms(100), 100, Some(total)));
        for (found, expected) in
            [(total.min, 1), (total.p50, 50), (total.p90, 90), (total.p99, 99), (total.max, 100)]
        {
            assert!(near(found, ms(expected)), "{found:?} is not {expected} ms");
        }
    }

    #[test]
    fn the_window_forgets_and_the_total_does_not() {
        let mut history = RttHistory::default();
        history.add(ms(500), ms(1000));
        (0..60).for_each(|second| history.add(ms(7), ms(10_000 + second * 1000)));
        let summary = history.summary(ms(69_000)).unwrap();
        assert!(near(summary.minute.unwrap().max, ms(7)) && near(summary.total.max, ms(500)), "{summary:?}");
        assert_eq!((summary.minute.unwrap().count, summary.total.count), (60, 61));
        let later = history.summary(ms(200_000)).unwrap();
        assert_eq!((later.minute, later.total.count), (None, 61), "nothing was measured for two minutes");
    }

    #[test]
    fn what_is_beyond_the_bounds_is_kept_at_the_bound() {
        let mut history = RttHistory::default();
        history.add(Duration::ZERO, ms(0));
        history.add(Duration::from_secs(1_000_000), ms(0));
        let total = history.summary(ms(0)).unwrap().total;
        assert_eq!(total.count, 2);
        assert!(total.max >= Duration::from_micros(LONGEST_US), "{total:?}");
    }
}
