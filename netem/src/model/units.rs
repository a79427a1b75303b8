//! Milliseconds and bytes of a person to nanoseconds of the model.

pub(super) const NS_PER_MS: f64 = 1e6;

/// Rounds to whole nanoseconds; below zero and not-a-number become zero.
#[allow(clippy::as_conversions, reason = "float to integer has no other form; `as` saturates")]
pub(super) fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// Counts as floats: exact up to 2^53, far above any packet, queue or time between packets.
#[allow(clippy::as_conversions, reason = "integer to float has no other form for 64 bits")]
pub(super) fn float(count: impl TryInto<u64>) -> f64 {
    count.try_into().unwrap_or(u64::MAX) as f64
}
