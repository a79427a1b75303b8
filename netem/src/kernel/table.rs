//! Tables from which netem draws: values of equal chance, in 8192nds of a unit of time.

/// Entries, as many as `tc` has for its normal distribution.
const ENTRIES: u32 = 4_096;
/// One unit; the kernel's NETEM_DIST_SCALE.
pub(super) const SCALE: f64 = 8_192.0;
/// Largest value that an entry holds, in units.
pub(super) const UNITS_MAX: f64 = 3.999;

/// The table of a quantile function, which gives units for cumulative shares between 0 and 1.
#[allow(clippy::as_conversions, reason = "float to integer has no other form; `as` saturates")]
pub(super) fn table(quantile: impl Fn(f64) -> f64) -> Vec<i16> {
    let share = |entry: u32| (f64::from(entry) + 0.5) / f64::from(ENTRIES);
    (0..ENTRIES).map(|entry| (quantile(share(entry)) * SCALE).round() as i16).collect()
}

/// Quantile of the standard normal distribution: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.23;
/// off by less than 0.00045.
pub(super) fn normal(share: f64) -> f64 {
    let tail = share.min(1.0 - share);
    let t = (-2.0 * tail.ln()).sqrt();
    let above = 2.515517 + t * (0.802853 + t * 0.010328);
    let below = 1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308));
    (t - above / below).copysign(share - 0.5)
}

/// Quantile of a uniform distribution from -1 to 1.
pub(super) fn uniform(share: f64) -> f64 {
    2.0 * share - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_the_moments_of_their_distribution() {
        for (name, table, deviation) in
            [("normal", table(normal), 1.0), ("uniform", table(uniform), 3.0_f64.sqrt().recip())]
        {
            let table: Vec<f64> = table.iter().map(|value| f64::from(*value) / SCALE).collect();
            let count = f64::from(ENTRIES);
            let mean = table.iter().sum::<f64>() / count;
            let variance = table.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
            assert!(mean.abs() < 1e-3, "{name}: mean {mean}");
            assert!((variance.sqrt() - deviation).abs() < 2e-3, "{name}: deviation {}", variance.sqrt());
            assert!(table.is_sorted(), "{name}");
        }
    }

    #[test]
    fn known_quantiles_of_the_normal_distribution() {
        for (share, value) in [(0.5, 0.0), (0.841_344_7, 1.0), (0.977_249_9, 2.0), (0.001_349_9, -3.0)] {
            assert!((normal(share) - value).abs() < 5e-4, "{share}: {}", normal(share));
        }
    }
}
