//! From replicates and a tolerance to a verdict, with its reason.

use serde::Serialize;

use super::bootstrap::{self, Replicates};
use super::tolerance::{Percentile, Tolerance};
use super::{Options, Quantity};
use crate::number::{ceil, grouped, rank, real};
use crate::record::Series;

/// Share of replicates outside the interval that is shown and that a pass needs.
const OUTSIDE: f64 = 0.05;

/// What a comparison says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Within the tolerance.
    Pass,
    /// The samples cannot tell.
    Inconclusive,
    /// Beyond the tolerance.
    Fail,
}

impl Verdict {
    /// `pass`, `fail`, `inconclusive`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "fail",
        }
    }

    /// Of several: one that fails makes all fail, and all must pass for a pass. Of none: pass.
    pub(super) fn of_all(verdicts: impl IntoIterator<Item = Self>) -> Self {
        verdicts.into_iter().max().unwrap_or(Self::Pass)
    }
}

/// One quantile of both records.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// Which.
    pub quantile: Percentile,
    /// In the first record.
    pub a: f64,
    /// In the second.
    pub b: f64,
    /// B/A; `None` when A is 0.
    pub ratio: Option<f64>,
    /// Lower end of the 95 % interval of the ratio; `None` with too few samples for one.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// The ratio may be off 1 by this; `None`: shown, not judged.
    pub tolerance: Option<f64>,
    /// `None`: not judged.
    pub verdict: Option<Verdict>,
    /// Why it is inconclusive, in words.
    pub reason: Option<String>,
    /// Samples of either record that would decide an inconclusive one, about; `None` when no number can be named.
    pub samples_needed: Option<usize>,
}

/// Both sides of one series.
struct Sides<'a> {
    a: &'a Replicates,
    b: &'a Replicates,
    sorted: (&'a [f64], &'a [f64]),
    /// Sides that hold one published figure, which is exact.
    published: (bool, bool),
    /// Quantiles that are judged in the whole comparison.
    judged: usize,
}

/// Judges one series.
pub(super) fn quantity(
    one: &Series,
    other: &Series,
    published: (bool, bool),
    options: &Options,
    judged: usize,
    seed: u64,
) -> Quantity {
    let (values_a, values_b) = (one.values(), other.values());
    let (sorted_a, sorted_b) = (bootstrap::sorted(&values_a), bootstrap::sorted(&values_b));
    // Two series that happen to be equal must not be drawn alike.
    let (a, b) = (bootstrap::replicates(&values_a, seed), bootstrap::replicates(&values_b, seed ^ 1));
    let sides = Sides { a: &a, b: &b, sorted: (&sorted_a, &sorted_b), published, judged };
    let quantiles = Percentile::ALL.map(|percentile| {
        let tolerance = options.tolerances.of(&one.name, percentile);
        let only_p50 = published.0 || published.1;
        judge(&sides, percentile, tolerance.filter(|_| !only_p50 || percentile == Percentile::P50))
    });
    Quantity {
        title: one.title(),
        name: one.name.clone(),
        from: one.from.clone(),
        to: one.to.clone(),
        unit: one.unit.clone(),
        verdict: Verdict::of_all(quantiles.iter().filter_map(|judged| judged.verdict)),
        count_a: values_a.len(),
        count_b: values_b.len(),
        block_length: a.block_length.max(b.block_length),
        ks_distance: bootstrap::ks_distance(&values_a, &values_b),
        quantiles: quantiles.into(),
    }
}

fn judge(sides: &Sides<'_>, quantile: Percentile, tolerance: Option<Tolerance>) -> Judged {
    let value =
        |sorted: &[f64]| sorted.get(rank(sorted.len(), quantile.percent())).copied().unwrap_or_default();
    let (a, b) = (value(sides.sorted.0), value(sides.sorted.1));
    let mut judged = Judged {
        quantile,
        a,
        b,
        ratio: (a > 0.0).then(|| b / a),
        low: None,
        high: None,
        tolerance: tolerance.filter(|_| a > 0.0).map(|tolerance| tolerance.share.max(tolerance.floor / a)),
        verdict: tolerance.map(|_| Verdict::Inconclusive),
        reason: None,
        samples_needed: None,
    };
    let ratios = ratios(sides, quantile);
    let Some(ratio) = judged.ratio.filter(|_| ratios.len() == sides.a.quantiles.len()) else {
        judged.reason = Some(format!("{} of A is 0: there is no ratio", quantile.name()));
        return judged;
    };
    let sides_of = [(sides.published.0, sides.sorted.0.len()), (sides.published.1, sides.sorted.1.len())];
    let measured = sides_of.into_iter().filter(|(published, _)| !published).map(|(_, count)| count);
    let fewest = measured.min().unwrap_or(usize::MAX);
    let few = fewest < quantile.samples_min();
    if few && judged.tolerance.is_some() {
        let (name, needed) = (quantile.name(), quantile.samples_min());
        judged.reason = Some(format!("{fewest} samples are too few: {name} needs {}", grouped(real(needed))));
        judged.samples_needed = Some(needed);
    }
    if few {
        // An interval of a few samples would look as if it meant something.
        return judged;
    }
    let (low, high) = bootstrap::interval(ratios.clone(), OUTSIDE);
    (judged.low, judged.high) = (Some(low), Some(high));
    let Some(tolerance) = judged.tolerance else { return judged };
    let simultaneous = bootstrap::interval(ratios, OUTSIDE / real(sides.judged.max(1)));
    let within = low >= 1.0 - tolerance && high <= 1.0 + tolerance;
    let beyond = simultaneous.0 > 1.0 + tolerance || simultaneous.1 < 1.0 - tolerance;
    judged.verdict = Some(match (within, beyond) {
        (true, _) => Verdict::Pass,
        (false, true) => Verdict::Fail,
        (false, false) => {
            let off = (ratio - 1.0).abs();
            let (low, high) = if off > tolerance { simultaneous } else { (low, high) };
            judged.samples_needed = needed(fewest, (high - low) / 2.0, off, tolerance);
            judged.reason = Some(reason(judged.samples_needed));
            Verdict::Inconclusive
        }
    });
    judged
}

/// B/A of every pair of replicates; fewer than there are when A was 0 in one.
fn ratios(sides: &Sides<'_>, quantile: Percentile) -> Vec<f64> {
    let place = Percentile::ALL.iter().position(|other| *other == quantile).unwrap_or_default();
    let value = |quantiles: &[f64; 3]| quantiles.get(place).copied().unwrap_or_default();
    let pairs = sides.a.quantiles.iter().map(value).zip(sides.b.quantiles.iter().map(value));
    pairs.filter(|(a, _)| *a > 0.0).map(|(a, b)| b / a).collect()
}

/// An interval shrinks with the root of the number of samples: how many until it lies on one side of the border?
/// `None` when the ratio lies so near the border that the answer would be beyond a hundred times as many.
fn needed(count: usize, half: f64, off: f64, tolerance: f64) -> Option<usize> {
    let room = (tolerance - off).abs();
    let factor = (half / room).powi(2);
    (factor <= 100.0).then(|| ceil(real(count) * factor.max(1.0) * 1.1))
}

fn reason(needed: Option<usize>) -> String {
    needed.map_or_else(
        || {
            "the ratio lies at the tolerance itself: more samples hardly decide, another tolerance does"
                .to_owned()
        },
        |needed| {
            let needed = grouped(real(needed));
            format!("the interval straddles the tolerance; about {needed} samples of each would decide")
        },
    )
}
