//! A measured distribution as a table: its quantiles at equally spaced cumulative shares, linear in between.

use std::sync::Arc;

/// Fewest and most values of a table: the two ends; a step of 0.1 %.
pub(crate) const COUNT: (usize, usize) = (2, 1_001);
/// Largest value, ms: as for a delay.
pub(crate) const LARGEST_MS: f64 = 60_000.0;

/// Quantiles in milliseconds. Invariant: 2 to 1001 values that never fall, 0 to 60,000. A clone shares the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantiles(Arc<[f64]>);

/// A list of numbers is no table of quantiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 2 to 1001 ascending numbers of milliseconds from 0 to 60000")]
pub struct QuantilesError;

impl Quantiles {
    /// The table of these values, the first for the share 0 and the last for the share 1.
    ///
    /// # Errors
    /// Too few or too many values, one out of range, or one that is smaller than the one before it.
    pub fn new(values_ms: Vec<f64>) -> Result<Self, QuantilesError> {
        let in_range = values_ms.iter().all(|value| (0.0..=LARGEST_MS).contains(value));
        let ascending = values_ms.is_sorted();
        if !(COUNT.0..=COUNT.1).contains(&values_ms.len()) || !in_range || !ascending {
            return Err(QuantilesError);
        }
        Ok(Self(values_ms.into()))
    }

    /// The values, as given.
    pub fn values_ms(&self) -> &[f64] {
        &self.0
    }

    /// The quantile at a cumulative share; shares outside 0 to 1 count as the nearer end.
    pub fn at(&self, share: f64) -> f64 {
        let (last, steps) = (self.0.len() - 1, steps(&self.0));
        let place = (share * steps).clamp(0.0, steps);
        let below = whole(place).min(last - 1);
        let (Some(low), Some(high)) = (self.0.get(below), self.0.get(below + 1)) else { return 0.0 };
        low + (high - low) * (place - place.floor().min(steps - 1.0))
    }

    /// Standard deviation of the distribution.
    pub(crate) fn deviation(&self) -> f64 {
        let mean = self.integral(|low, high| (low + high) / 2.0);
        // About the mean, so that no two large squares are subtracted.
        let square = self.integral(|low, high| {
            let (low, high) = (low - mean, high - mean);
            (low * low + low * high + high * high) / 3.0
        });
        square.sqrt()
    }

    /// Sum over the straight pieces, each with its share.
    fn integral(&self, piece: impl Fn(f64, f64) -> f64) -> f64 {
        let pieces = self.0.iter().zip(self.0.iter().skip(1));
        pieces.map(|(low, high)| piece(*low, *high)).sum::<f64>() / steps(&self.0)
    }
}

fn steps(values: &[f64]) -> f64 {
    u32::try_from(values.len() - 1).map_or(f64::MAX, f64::from)
}

/// The whole part of a place in a table.
#[allow(clippy::as_conversions, reason = "float to integer has no other form; the place is 0 to 1000")]
fn whole(place: f64) -> usize {
    place as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_between_the_values_and_flat_outside() {
        let table = Quantiles::new(vec![0.0, 1.0, 5.0]).unwrap();
        let cases = [
            (-1.0, 0.0),
            (0.0, 0.0),
            (0.25, 0.5),
            (0.5, 1.0),
            (0.75, 3.0),
            (1.0, 5.0),
            (2.0, 5.0),
            (f64::NAN, 0.0),
        ];
        for (share, expected) in cases {
            let got = table.at(share);
            assert!(got == expected || share.is_nan(), "{share}: {got}");
        }
        // Two equally likely straight pieces.
        let deviation = Quantiles::new(vec![0.0, 12.0]).unwrap().deviation();
        assert!((deviation - 12.0_f64.sqrt()).abs() < 1e-12, "{deviation}");
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let bad: [Vec<f64>; 6] =
            [vec![], vec![1.0], vec![1.0, 0.5], vec![-1.0, 0.5], vec![0.0, f64::NAN, 1.0], vec![0.0; 1_002]];
        for values in bad {
            assert_eq!(Quantiles::new(values), Err(QuantilesError));
        }
        assert!(Quantiles::new(vec![0.0; 1_001]).is_ok());
    }
}
