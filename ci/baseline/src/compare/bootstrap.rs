//! The circular block bootstrap of quantiles, and the length of its blocks.
//!
//! Samples that follow each other depend on each other (a burst, a busy minute), so single samples must not be drawn
//! by themselves: the interval would be too narrow. Blocks of neighbours keep the dependence. Their length comes from
//! the data, by the rule of Politis and White (2004, corrected 2009) for the circular bootstrap, applied to what
//! decides a sample quantile: the series "is this sample above the quantile?", one for each of p50, p90, p99. The
//! longest of the three is used. Unlike the samples themselves this series has no tail, so one outlier cannot
//! hide the dependence of the rest.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::tolerance::Percentile;
use crate::number::{ceil, rank, real};

/// Draws per interval. With 18 judged quantiles the simultaneous interval lies at 0.14 %, the third of 2,000.
const REPLICATES: usize = 2_000;

/// Quantiles of every replicate of one series.
pub(super) struct Replicates {
    /// p50, p90, p99 of each.
    pub(super) quantiles: Vec<[f64; 3]>,
    /// Samples per block.
    pub(super) block_length: usize,
}

/// Resamples a series (in order of time; not empty).
pub(super) fn replicates(values: &[f64], seed: u64) -> Replicates {
    let sorted = sorted(values);
    let block_length = Percentile::ALL.map(|percentile| length(&above(values, &sorted, percentile)));
    let block_length = block_length.into_iter().max().unwrap_or(1).min(values.len()).max(1);
    // Drawing ranks and counting them is a sort less per replicate.
    let ranks = ranks(values, &sorted);
    let around: Vec<usize> = ranks.iter().chain(ranks.iter().take(block_length)).copied().collect();
    let targets = Percentile::ALL.map(|percentile| rank(values.len(), percentile.percent()));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut counts = vec![0_u32; values.len()];
    let mut draw = || {
        counts.fill(0);
        let mut left = values.len();
        while left > 0 {
            let start = rng.random_range(0..values.len());
            let length = left.min(block_length);
            for place in around.get(start..start + length).unwrap_or_default() {
                if let Some(count) = counts.get_mut(*place) {
                    *count += 1;
                }
            }
            left -= length;
        }
        at(&counts, targets).map(|place| sorted.get(place).copied().unwrap_or_default())
    };
    let quantiles = (0..REPLICATES).map(|_| draw()).collect();
    Replicates { quantiles, block_length }
}

/// Places of the targets (ascending ranks) among samples that are given by how often each place was drawn.
fn at(counts: &[u32], targets: [usize; 3]) -> [usize; 3] {
    let mut found = [0; 3];
    let mut wanted = targets.into_iter().zip(found.iter_mut()).peekable();
    let mut seen = 0;
    for (place, count) in counts.iter().enumerate() {
        seen += usize::try_from(*count).unwrap_or_default();
        while let Some((_, found)) = wanted.next_if(|(target, _)| *target < seen) {
            *found = place;
        }
        if wanted.peek().is_none() {
            break;
        }
    }
    found
}

/// The interval of a statistic's replicates that leaves out this share, half of it on either side.
pub(super) fn interval(mut statistic: Vec<f64>, outside: f64) -> (f64, f64) {
    statistic.sort_by(f64::total_cmp);
    let cut = ceil(real(statistic.len()) * outside / 2.0).saturating_sub(1);
    let low = statistic.get(cut).copied().unwrap_or_default();
    let high = statistic.iter().rev().nth(cut).copied().unwrap_or_default();
    (low, high)
}

/// The same values, ascending.
pub(crate) fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn ranks(values: &[f64], sorted: &[f64]) -> Vec<usize> {
    values.iter().map(|value| sorted.partition_point(|other| other < value)).collect()
}

fn above(values: &[f64], sorted: &[f64], percentile: Percentile) -> Vec<f64> {
    let quantile = sorted.get(rank(sorted.len(), percentile.percent())).copied().unwrap_or_default();
    values.iter().map(|value| if *value > quantile { 1.0 } else { 0.0 }).collect()
}

/// Politis and White's block length for a series; 1 when it does not depend on itself.
fn length(series: &[f64]) -> usize {
    let n = real(series.len());
    if series.len() < 10 {
        return 1;
    }
    let run = ceil(n.log10().sqrt()).max(5);
    let lag_max = (ceil(n.sqrt()) + run).min(series.len() - 1);
    let covariance = covariances(series, lag_max);
    let Some(variance) = covariance.first().copied().filter(|variance| *variance > 0.0) else { return 1 };
    let threshold = 2.0 * (n.log10() / n).sqrt();
    let significant: Vec<bool> =
        covariance.iter().skip(1).map(|lag| (lag / variance).abs() >= threshold).collect();
    // The lag after which `run` lags in a row mean nothing; else the last that means something.
    let quiet = significant.windows(run).position(|window| !window.contains(&true));
    let last = significant.iter().rposition(|significant| *significant).map_or(0, |lag| lag + 1);
    let memory = quiet.unwrap_or(last);
    if memory == 0 {
        return 1;
    }
    let width = (2 * memory).min(lag_max);
    let (mut spectrum, mut slope) = (variance, 0.0);
    for (lag, covariance) in covariance.iter().enumerate().skip(1).take(width) {
        let share = real(lag) / real(width);
        let weight = if share <= 0.5 { 1.0 } else { 2.0 * (1.0 - share) };
        spectrum += 2.0 * weight * covariance;
        slope += 2.0 * weight * real(lag) * covariance;
    }
    let spread = 4.0 / 3.0 * spectrum * spectrum;
    let longest = (3.0 * n.sqrt()).min(n / 3.0);
    if spread <= 0.0 {
        return ceil(longest);
    }
    ceil((2.0 * slope * slope / spread * n).cbrt().min(longest)).max(1)
}

/// Autocovariances at lags 0 to `lag_max`.
fn covariances(series: &[f64], lag_max: usize) -> Vec<f64> {
    let n = real(series.len());
    let mean = series.iter().sum::<f64>() / n;
    let centred: Vec<f64> = series.iter().map(|value| value - mean).collect();
    let at = |lag: usize| centred.iter().zip(centred.iter().skip(lag)).map(|(a, b)| a * b).sum::<f64>() / n;
    (0..=lag_max).map(at).collect()
}

/// Largest distance between two distribution functions (Kolmogorov and Smirnov), 0 to 1.
pub(super) fn ks_distance(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (sorted(a), sorted(b));
    let share = |sorted: &[f64], value: f64| {
        real(sorted.partition_point(|other| *other <= value)) / real(sorted.len().max(1))
    };
    a.iter().chain(&b).map(|value| (share(&a, *value) - share(&b, *value)).abs()).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that each keep `memory` of the one before.
    fn series(count: usize, memory: f64, seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut value = 0.0;
        let mut next = || {
            // Twelve uniform numbers make a normal one, near enough.
            let normal = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
            value = memory * value + (1.0 - memory * memory).sqrt() * normal;
            100.0 + value
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn blocks_are_as_long_as_the_dependence() {
        let lengths: Vec<usize> = [0.0, 0.5, 0.9, 0.98]
            .iter()
            .map(|memory| replicates(&series(3000, *memory, 7), 1).block_length)
            .collect();
        assert!(lengths[0] <= 3, "{lengths:?}");
        assert!(lengths.is_sorted(), "{lengths:?}");
        assert!(lengths[2] >= 15 && lengths[3] >= 40, "{lengths:?}");
    }

    /// The interval of the median holds the true one as often as it says, with and without dependence.
    #[test]
    fn intervals_hold_the_truth() {
        for memory in [0.0, 0.8] {
            let holds = |seed: u64| {
                let replicates = replicates(&series(400, memory, seed), seed);
                let medians = replicates.quantiles.iter().map(|quantiles| quantiles[0]).collect();
                let (low, high) = interval(medians, 0.05);
                low <= 100.0 && 100.0 <= high
            };
            let held = (0..100).filter(|seed| holds(*seed)).count();
            // 95 % of 100, give or take 3 standard deviations of 2.2; short series with blocks hold a little less.
            assert!((86..=99).contains(&held), "memory {memory}: {held} of 100");
        }
    }

    #[test]
    fn a_replicate_of_one_value_is_that_value() {
        assert!(replicates(&[7.0; 50], 1).quantiles.iter().all(|quantiles| *quantiles == [7.0; 3]));
        assert_eq!(replicates(&[7.0], 1).quantiles[0], [7.0; 3]);
    }

    #[test]
    fn distance_of_distributions() {
        assert_eq!(ks_distance(&[1.0, 2.0], &[1.0, 2.0]), 0.0);
        assert_eq!(ks_distance(&[1.0, 2.0], &[3.0, 4.0]), 1.0);
        assert_eq!(ks_distance(&[1.0, 2.0], &[2.0, 3.0]), 0.5);
    }
}
