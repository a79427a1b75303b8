//! One stretch of measuring: what time it is in the recording, which block, and how far along.

use std::time::{Duration, Instant};

use farquorum_baseline::Series;
use indicatif::ProgressBar;

/// One stretch of measuring.
#[derive(Clone, Debug)]
pub(crate) struct Take {
    /// When the recording began.
    begun: Instant,
    block: u32,
    bar: ProgressBar,
    /// What one measurement moves the bar.
    step: u64,
}

impl Take {
    /// A recording that is one stretch and shows no progress.
    pub(crate) fn alone() -> Self {
        Self { begun: Instant::now(), block: 0, bar: ProgressBar::hidden(), step: 0 }
    }

    /// Block `block` of a recording that began at `begun`.
    pub(super) fn new(begun: Instant, block: u32, bar: ProgressBar, step: u64) -> Self {
        Self { begun, block, bar, step }
    }

    /// Seconds since the recording began.
    pub(super) fn at_s(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// A measurement that has just ended.
    pub(super) fn push(&self, series: &mut Series, value: f64) {
        self.push_at(series, self.at_s(), value);
    }

    /// A measurement that ended at this second of the recording.
    pub(super) fn push_at(&self, series: &mut Series, at_s: f64, value: f64) {
        // Microseconds are what there is; more digits would only make the file longer.
        series.push(self.block, (at_s * 1e6).round() / 1e6, value);
    }

    /// One measurement is over.
    pub(super) fn advance(&self) {
        self.bar.inc(self.step);
    }
}

/// Milliseconds of a duration.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
