//! Quantiles of a series, by the nearest-rank method: every quantile is a sample that was really measured.

use serde::{Deserialize, Serialize};

/// min, p1, p50, p90, p99, max of a series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// How many samples.
    pub count: usize,
    /// Smallest.
    pub min: f64,
    /// 1st percentile.
    pub p1: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Largest.
    pub max: f64,
}

impl Quantiles {
    /// Of samples in any order; `None` when there is none, or one is not a number.
    pub fn of(samples: &[f64]) -> Option<Self> {
        if samples.is_empty() || samples.iter().any(|sample| sample.is_nan()) {
            return None;
        }
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).max(1);
            sorted.get(rank - 1).copied()
        };
        Some(Self {
            count: sorted.len(),
            min: *sorted.first()?,
            p1: at(1)?,
            p50: at(50)?,
            p90: at(90)?,
            p99: at(99)?,
            max: *sorted.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_rank() {
        let samples: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        let q = Quantiles::of(&samples).unwrap();
        assert_eq!(
            (q.count, q.min, q.p1, q.p50, q.p90, q.p99, q.max),
            (200, 1.0, 2.0, 100.0, 180.0, 198.0, 200.0)
        );
    }

    #[test]
    fn one_sample_is_every_quantile() {
        let q = Quantiles::of(&[7.5]).unwrap();
        assert_eq!((q.min, q.p1, q.p50, q.p99, q.max), (7.5, 7.5, 7.5, 7.5, 7.5));
    }

    #[test]
    fn nothing_has_no_quantiles() {
        assert_eq!(Quantiles::of(&[]), None);
        assert_eq!(Quantiles::of(&[1.0, f64::NAN]), None);
    }
}
