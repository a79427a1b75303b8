//! The clocks that decisions get passed in; waits for an answer are tokio's.
//!
//! Timeouts are measured on CLOCK_BOOTTIME: it counts the time that a machine is suspended and never goes back.
//! Wall-clock time is data: it goes into proposals, and the leader compares leases and retention with it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use tokio::time::{Interval, MissedTickBehavior};

/// What the node needs of clocks; tests bring their own.
pub trait Clock: Send + Sync + 'static {
    /// Time since the machine started, suspend included. Never goes back.
    fn boot(&self) -> Duration;

    /// Milliseconds since the Unix epoch, by this machine's opinion. May jump.
    fn wall_ms(&self) -> u64;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn boot(&self) -> Duration {
        // Cannot fail for a clock that the kernel has; a zero only makes timeouts late.
        clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
    }

    fn wall_ms(&self) -> u64 {
        let since_epoch = clock_gettime(ClockId::CLOCK_REALTIME).map(Duration::from).unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Wall-clock milliseconds that never go back within one process: what a leader stamps on its proposals. A step back
/// of the clock holds it still until the clock has caught up; apply does the same across leaders.
#[derive(Debug, Default)]
pub struct MonotoneMillis(AtomicU64);

impl MonotoneMillis {
    /// The larger of `wall_ms` and everything that was returned before.
    pub fn next(&self, wall_ms: u64) -> u64 {
        self.0.fetch_max(wall_ms, Ordering::Relaxed).max(wall_ms)
    }
}

/// Ticks that are delayed when missed, never made up for: a burst after a pause would end an election timeout at
/// once. The first comes after one period.
pub fn ticker(period: Duration) -> Interval {
    let mut interval = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_never_go_back() {
        let stamps = MonotoneMillis::default();
        assert_eq!([5, 9, 3, 9, 10].map(|wall| stamps.next(wall)), [5, 9, 9, 9, 10]);
    }

    #[test]
    fn boot_time_does_not_go_back() {
        let first = SystemClock.boot();
        assert!(first > Duration::ZERO && SystemClock.boot() >= first);
    }

    #[tokio::test(start_paused = true)]
    async fn missed_ticks_come_once_and_off_the_old_grid() {
        let period = Duration::from_millis(100);
        let mut ticks = ticker(period);
        ticks.tick().await;
        tokio::time::advance(Duration::from_millis(1050)).await;
        ticks.tick().await;
        let start = tokio::time::Instant::now();
        ticks.tick().await;
        assert_eq!(start.elapsed(), period, "a whole period after the late one");
    }
}
