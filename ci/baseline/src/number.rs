//! Between counts and real numbers.

/// A count as a real number; exact up to 2^32, which no series reaches.
pub(crate) fn real(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

/// The next whole number upwards; 0 for what is negative or not a number.
pub(crate) fn ceil(number: f64) -> usize {
    #[allow(
        clippy::as_conversions,
        reason = "saturates at both ends and takes NaN to 0, which is what is wanted"
    )]
    let whole = number.ceil() as usize;
    whole
}

/// Rank, from 0, of a percentile among this many sorted values, by the nearest-rank method.
pub(crate) fn rank(count: usize, percent: usize) -> usize {
    (count * percent).div_ceil(100).max(1) - 1
}
