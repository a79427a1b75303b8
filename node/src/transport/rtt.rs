//! Round-trip times of one link (MEAS-1), from probes on the open control stream. Pure: times come in as arguments.
//!
//! The responder says how long it held the probe; that is subtracted, so that a busy peer does not look far away.

use std::collections::VecDeque;
use std::time::Duration;

/// Probes that are kept: with a probe every heartbeat they cover the last minute or so, which is what an operator
/// asks about; long series are the metrics' business.
const KEPT: usize = 512;

/// Probes that may be without an answer; the oldest is forgotten beyond it (a session ends long before).
const OPEN_MAX: usize = 64;

/// What is known of one link's round-trip time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RttSummary {
    /// Of the last probe.
    pub latest: Duration,
    /// Exponentially weighted mean, weight 1/8 for a new one (as TCP's SRTT, RFC 6298).
    pub smoothed: Duration,
    /// Least of the kept ones.
    pub min: Duration,
    /// Median of the kept ones.
    pub p50: Duration,
    /// 99th percentile of the kept ones.
    pub p99: Duration,
}

/// The measured round-trip times of one link.
#[derive(Clone, Debug, Default)]
pub(crate) struct RttSeries {
    kept: VecDeque<Duration>,
    smoothed: Duration,
}

impl RttSeries {
    /// Adds a measurement.
    pub(crate) fn add(&mut self, rtt: Duration) {
        self.smoothed = if self.kept.is_empty() { rtt } else { self.smoothed * 7 / 8 + rtt / 8 };
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(rtt);
    }

    /// None before the first measurement.
    pub(crate) fn summary(&self) -> Option<RttSummary> {
        let latest = *self.kept.back()?;
        let mut sorted: Vec<Duration> = self.kept.iter().copied().collect();
        sorted.sort_unstable();
        let quantile = |percent: usize| sorted.get((sorted.len() - 1) * percent / 100).copied();
        Some(RttSummary {
            latest,
            smoothed: self.smoothed,
            min: *sorted.first()?,
            p50: quantile(50)?,
            p99: quantile(99)?,
        })
    }
}

/// The probes of one session that have no answer yet.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    next: u64,
    open: VecDeque<(u64, Duration)>,
}

impl Probes {
    /// The sequence number of a probe that leaves at `now`.
    pub(crate) fn send(&mut self, now: Duration) -> u64 {
        self.next += 1;
        if self.open.len() == OPEN_MAX {
            self.open.pop_front();
        }
        self.open.push_back((self.next, now));
        self.next
    }

    /// The round-trip time that an answer shows; none when the probe is unknown or the peer claims to have held it
    /// longer than it was away.
    pub(crate) fn answer(&mut self, sequence: u64, processing: Duration, now: Duration) -> Option<Duration> {
        let place = self.open.iter().position(|(open, _)| *open == sequence)?;
        let (_, sent) = self.open.remove(place)?;
        now.checked_sub(sent)?.checked_sub(processing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn a_summary_holds_what_was_measured() {
        let mut series = RttSeries::default();
        assert_eq!(series.summary(), None);
        (1..=100).for_each(|value| series.add(ms(value)));
        let summary = series.summary().unwrap();
        assert_eq!((summary.latest, summary.min, summary.p50, summary.p99), (ms(100), ms(1), ms(50), ms(99)));
        assert!(summary.smoothed > ms(85) && summary.smoothed < ms(100), "{summary:?}");
        (0..KEPT).for_each(|_| series.add(ms(7)));
        assert_eq!(series.summary().unwrap().p99, ms(7), "old measurements are forgotten");
    }

    #[test]
    fn the_responders_time_is_not_the_links() {
        let mut probes = Probes::default();
        let first = probes.send(ms(1000));
        let second = probes.send(ms(1100));
        assert_eq!(probes.answer(second, ms(5), ms(1180)), Some(ms(75)));
        assert_eq!(probes.answer(second, ms(5), ms(1180)), None, "answered once");
        assert_eq!(probes.answer(first, ms(500), ms(1200)), None, "a lie about the processing time");
        assert_eq!(probes.answer(99, ms(0), ms(1200)), None, "never asked");
    }

    #[test]
    fn unanswered_probes_are_bounded() {
        let mut probes = Probes::default();
        let first = probes.send(ms(0));
        (0..OPEN_MAX).for_each(|_| {
            probes.send(ms(1));
        });
        assert_eq!(probes.answer(first, ms(0), ms(50)), None);
    }
}
