//! How long jitter remembers, from samples that are some distance apart.
//!
//! The link model's jitter is an Ornstein-Uhlenbeck process behind a distribution: its correlation over a time t is
//! exp(-t / memory). The samples' ranks are brought back to that process (normal scores), so that the distribution's
//! tail does not count, and their autocorrelations at lags 1, 2, ... are summed until they cannot be told from nothing.
//! For such a process the sum is S = 1 / (exp(distance / memory) - 1), which gives the memory.

use crate::number::{normal_quantile, real};
use crate::record::Series;

/// What the samples say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Memory {
    pub(super) ms: f64,
    /// Whether samples next to each other depend on each other at all.
    pub(super) seen: bool,
}

/// Lags that are looked at: a memory of some 300 samples is found, a longer one is taken for 300.
const LAGS: usize = 1_000;

/// From all series of a pair. `spread_ms` is p90 - p50.
pub(super) fn of(series: &[&Series], spread_ms: f64) -> Memory {
    let found: Vec<(f64, f64)> =
        series.iter().filter_map(|series| Some((distance_ms(series)?, correlated(series)))).collect();
    let Some(distance) = found.iter().map(|(distance, _)| *distance).reduce(f64::min) else {
        return Memory { ms: 10.0 * spread_ms, seen: false };
    };
    let count = real(found.len());
    let sum = found.iter().map(|(_, sum)| *sum).sum::<f64>() / count;
    if sum > 0.0 {
        return Memory { ms: distance / (1.0 / sum).ln_1p(), seen: true };
    }
    // Nothing is seen at this distance. Packets closer than that still need a memory, or first in, first out would
    // hold each back behind the slowest before it: the configuration's default, as long as a sample would not have
    // shown it (exp(-4) is 2 %).
    Memory { ms: (10.0 * spread_ms).min(distance / 4.0), seen: false }
}

/// Middle of the distances between samples that follow each other within a block, ms.
fn distance_ms(series: &Series) -> Option<f64> {
    let pairs = series.samples.iter().zip(series.samples.iter().skip(1));
    let within = pairs.filter(|(a, b)| a.block == b.block && b.at_s > a.at_s);
    let mut distances: Vec<f64> = within.map(|(a, b)| (b.at_s - a.at_s) * 1000.0).collect();
    distances.sort_by(f64::total_cmp);
    distances.get(distances.len() / 2).copied()
}

/// Sum of the autocorrelations that can be told from nothing, from lag 1 on.
fn correlated(series: &Series) -> f64 {
    let scores = scores(&series.values());
    let n = real(scores.len());
    let variance = scores.iter().map(|score| score * score).sum::<f64>();
    if variance <= 0.0 {
        return 0.0;
    }
    let blocks: Vec<u32> = series.samples.iter().map(|sample| sample.block).collect();
    let at = |lag: usize| {
        let pairs = scores.iter().zip(&blocks).zip(scores.iter().zip(&blocks).skip(lag));
        let within = pairs.filter(|((_, block), (_, later))| block == later);
        within.map(|((a, _), (b, _))| a * b).sum::<f64>() / variance
    };
    // Twice the standard deviation of the autocorrelation of independent samples.
    let nothing = 2.0 / n.sqrt();
    let lags = 1..=LAGS.min(scores.len() / 3);
    lags.map(at).take_while(|correlation| *correlation > nothing).sum()
}

/// Normal scores: the value that a standard normal has at each sample's cumulative share; equal samples get equal ones.
fn scores(values: &[f64]) -> Vec<f64> {
    let sorted = crate::compare::sorted(values);
    let share = |value: &f64| {
        let below = sorted.partition_point(|other| other < value);
        let to = sorted.partition_point(|other| other <= value);
        (real(below) + real(to)) / 2.0 / real(sorted.len())
    };
    let scores: Vec<f64> = values.iter().map(|value| normal_quantile(share(value))).collect();
    let mean = scores.iter().sum::<f64>() / real(scores.len().max(1));
    scores.into_iter().map(|score| score - mean).collect()
}
