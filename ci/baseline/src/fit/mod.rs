//! From recorded round trips to link parameters that reproduce them.
//!
//! A round trip does not tell its two directions apart, so each pair of clouds gets one base for both: half of p1 each
//! way. p1 and not the minimum, which moves with every lucky packet. Everything above the base goes to ONE direction,
//! since on both its variance would double. It is kept as a table of quantiles, which the link model draws from; the
//! 1 % of round trips below p1 become the base itself. So p50, p90 and p99 come out as recorded, and only what is below
//! p1 does not: it is raised to p1, by less than p1 minus the minimum.
//!
//! The jitter's memory comes from the autocorrelation of the series and the distance between its samples. Loss comes
//! from unanswered probes, where they were counted, half on each way.

mod memory;
mod toml;

use thiserror::Error;

use crate::compare::sorted;
use crate::number::{rank, real};
use crate::record::{Record, Series};

pub use self::toml::to_toml;

/// Round trips without which there is nothing to fit: p99 rests on the ten largest.
const SAMPLES_MIN: usize = 1_000;

/// Lengths of a quantile table, less one: multiples of 100, so that p1, p50, p90 and p99 are entries of it and come
/// out exactly. The link model takes at most 1,001 entries.
const STEPS: [usize; 3] = [1_000, 500, 100];

/// Longest delay that the configuration takes, ms.
const DELAY_MAX_MS: f64 = 60_000.0;

/// Link parameters of one pair of clouds.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedPair {
    /// The cloud whose way to the other carries the jitter.
    pub from: String,
    /// The other.
    pub to: String,
    /// One way, either way, ms.
    pub delay_ms: f64,
    /// Extra delay from `from` to `to` at equally spaced cumulative shares from 0 to 1, ms, ascending.
    pub jitter_quantiles_ms: Vec<f64>,
    /// Time after which the jitter has forgotten all but 37 % of itself, ms.
    pub jitter_memory_ms: f64,
    /// Whether the memory was seen in the samples; else they are too far apart to tell.
    pub memory_seen: bool,
    /// Share of packets lost, either way; 0 where probes were not counted.
    pub loss: f64,
    /// p50, p90 and p99 that a simulation of this has, ms: those of the recording.
    pub expected_ms: [f64; 3],
    /// Round trips that this rests on.
    pub count: usize,
}

/// Why nothing can be fitted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FitError {
    /// No round trips between different clouds.
    #[error("the record has no series rtt between two clouds; it has {found}")]
    NoRtt {
        /// What it has.
        found: String,
    },
    /// Not enough of them.
    #[error("{title}: {count} samples are too few; a fit of p99 needs {SAMPLES_MIN}")]
    TooFew {
        /// Which pair.
        title: String,
        /// Samples of both directions.
        count: usize,
    },
    /// Not in ms.
    #[error("{title} is in {unit}; expected ms")]
    Unit {
        /// Which series.
        title: String,
        /// Its unit.
        unit: String,
    },
    /// Longer than a link can be.
    #[error("{title}: {rtt_ms} ms; a link delays by at most {DELAY_MAX_MS} ms")]
    TooLong {
        /// Which series.
        title: String,
        /// Its largest sample, whole ms.
        rtt_ms: String,
    },
    /// The record's own word that it is wrong.
    #[error("the record is marked invalid: {reason}")]
    Invalid {
        /// Why.
        reason: String,
    },
}

/// Link parameters of every pair of clouds with round trips, in the record's order.
///
/// # Errors
/// [`FitError`].
pub fn fit(record: &Record) -> Result<Vec<FittedPair>, FitError> {
    if let Some(reason) = record.invalid.first() {
        return Err(FitError::Invalid { reason: reason.clone() });
    }
    let mut pairs: Vec<(&str, &str, Vec<&Series>)> = Vec::new();
    for series in &record.series {
        let ("rtt", Some(from), Some(to)) = series.key() else { continue };
        if from == to || series.samples.is_empty() {
            continue;
        }
        match pairs.iter_mut().find(|(a, b, _)| (*a, *b) == (from, to) || (*a, *b) == (to, from)) {
            // Both ends saw the same loop.
            Some((_, _, both)) => both.push(series),
            None => pairs.push((from, to, vec![series])),
        }
    }
    if pairs.is_empty() {
        let found = record.series.iter().map(Series::title).collect::<Vec<_>>().join(", ");
        return Err(FitError::NoRtt { found: if found.is_empty() { "none".to_owned() } else { found } });
    }
    pairs.into_iter().map(|(from, to, both)| pair(from, to, &both)).collect()
}

fn pair(from: &str, to: &str, both: &[&Series]) -> Result<FittedPair, FitError> {
    let title = format!("rtt {from} -> {to}");
    if let Some(series) = both.iter().find(|series| series.unit != "ms") {
        return Err(FitError::Unit { title, unit: series.unit.clone() });
    }
    let values = sorted(&both.iter().flat_map(|series| series.values()).collect::<Vec<_>>());
    let count = values.len();
    if count < SAMPLES_MIN {
        return Err(FitError::TooFew { title, count });
    }
    let longest = values.last().copied().unwrap_or_default();
    if longest > DELAY_MAX_MS {
        return Err(FitError::TooLong { title, rtt_ms: format!("{longest:.0}") });
    }
    let quantile = |percent| values.get(rank(count, percent)).copied().unwrap_or_default();
    let base = quantile(1);
    let memory = memory::of(both, quantile(90) - quantile(50));
    Ok(FittedPair {
        from: from.to_owned(),
        to: to.to_owned(),
        delay_ms: thousandth(base / 2.0),
        jitter_quantiles_ms: table(&values, base),
        jitter_memory_ms: thousandth(memory.ms),
        memory_seen: memory.seen,
        loss: loss(both),
        expected_ms: [50, 90, 99].map(quantile),
        count,
    })
}

/// What each share of the round trips has above the base.
fn table(sorted: &[f64], base: f64) -> Vec<f64> {
    let steps = STEPS.into_iter().find(|steps| *steps <= sorted.len()).unwrap_or(100);
    let entry = |step: usize| {
        let rank = (sorted.len() * step).div_ceil(steps).max(1) - 1;
        thousandth((sorted.get(rank).copied().unwrap_or(base) - base).max(0.0))
    };
    (0..=steps).map(entry).collect()
}

/// Of one way, when both ways lose alike: a round trip is lost when either is.
fn loss(both: &[&Series]) -> f64 {
    let lost: u64 = both.iter().filter_map(|series| series.lost).sum();
    let lost = real(usize::try_from(lost).unwrap_or(usize::MAX));
    let counted = both.iter().filter(|series| series.lost.is_some());
    let answered: usize = counted.map(|series| series.samples.len()).sum();
    if lost == 0.0 {
        return 0.0;
    }
    let share = 1.0 - (real(answered) / (real(answered) + lost)).sqrt();
    (share * 1e6).round() / 1e6
}

/// Rounded to microseconds, the resolution that figures of this kind have.
fn thousandth(ms: f64) -> f64 {
    (ms * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests;
