//! The one clock of the crate: CLOCK_MONOTONIC in nanoseconds, the same for every process of the lab.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds since boot, without suspend; never goes back.
pub fn now_ns() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

/// CPU time that the calling thread has used.
pub(crate) fn thread_cpu() -> Duration {
    Duration::from_nanos(read(ClockId::CLOCK_THREAD_CPUTIME_ID))
}

/// Both clocks exist on every Linux kernel; zero stands for "no clock at all".
fn read(id: ClockId) -> u64 {
    let Ok(time) = clock_gettime(id) else { return 0 };
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec()).unwrap_or(0)
}
