//! The one place that reads clocks.

use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};

/// CLOCK_MONOTONIC: nanoseconds since boot, without suspend; never goes back, the same for every process of the lab.
pub fn now_ns() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

/// CLOCK_REALTIME, nanoseconds: only to be compared with the kernel's times of arrival.
pub(crate) fn wall_ns() -> u64 {
    read(ClockId::CLOCK_REALTIME)
}

/// CPU time that the calling thread has used.
pub(crate) fn thread_cpu() -> Duration {
    Duration::from_nanos(read(ClockId::CLOCK_THREAD_CPUTIME_ID))
}

/// Nanoseconds of a time that is not negative.
pub(crate) fn to_ns(time: TimeSpec) -> Option<u64> {
    let seconds = u64::try_from(time.tv_sec()).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(u64::try_from(time.tv_nsec()).ok()?)
}

/// These clocks exist on every Linux kernel; zero stands for "no clock at all".
fn read(id: ClockId) -> u64 {
    clock_gettime(id).ok().and_then(to_ns).unwrap_or(0)
}
