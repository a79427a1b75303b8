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

/// Quantile of the standard normal distribution at a share between 0 and 1, within 0.01 up to 3 standard deviations:
/// Tukey's lambda distribution (Joiner and Rosenblatt 1971). Correlations and axes are made of it.
pub(crate) fn normal_quantile(share: f64) -> f64 {
    const LAMBDA: f64 = 0.1349;
    let share = share.clamp(1e-6, 1.0 - 1e-6);
    (share.powf(LAMBDA) - (1.0 - share).powf(LAMBDA)) / 0.1975
}

/// Whole, with a comma between thousands.
pub(crate) fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("-{text}") } else { text }
}
