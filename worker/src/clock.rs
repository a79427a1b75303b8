//! The clock that leases are counted on: CLOCK_BOOTTIME, which counts suspend and never goes back.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// A clock that never goes back; only differences mean something.
pub(crate) trait Clock: Clone + Send + Sync + 'static {
    /// Time since a fixed point in the past.
    fn now(&self) -> Duration;
}

/// Time since the machine was started, time in suspend included.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BootClock;

impl Clock for BootClock {
    fn now(&self) -> Duration {
        // The kernel has had this clock since 2.6.39, so the call does not fail.
        clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
    }
}
