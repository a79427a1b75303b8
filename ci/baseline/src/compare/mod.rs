//! Whether two records show the same network: for every quantity and quantile, does the ratio B/A stay within a
//! tolerance?
//!
//! Each ratio has a 95 % interval from a block bootstrap. Inside the tolerance: pass. Outside: fail. Straddling it:
//! inconclusive, with how many samples would decide it.
//!
//! Several quantiles of several series are judged at once, and the verdict is about all of them:
//! - It passes when all pass. That needs no correction: as long as one quantile is really beyond its tolerance, the
//!   whole passes only if that one does, at most 2.5 % of the time (an intersection-union test).
//! - It fails when one fails, so chances to fail by accident add up. A quantile therefore fails only when its
//!   interval at level 1 - 5 %/k is outside, with k quantiles judged (Bonferroni).
//! - And an accident has to carry that interval across the whole tolerance, not just away from 1.
//!
//! Kolmogorov-Smirnov's distance is shown and never judged: with thousands of samples it finds shifts that do not
//! matter.

mod bootstrap;
mod judge;
mod tolerance;

use std::collections::BTreeSet;

use serde::Serialize;
use thiserror::Error;

pub(crate) use bootstrap::sorted;
pub use judge::{Judged, Verdict};
pub use tolerance::{Percentile, Tolerance, ToleranceError, Tolerances};

use crate::record::{Difference, Record, Series};

/// How two records are compared.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is the same.
    pub tolerances: Tolerances,
    /// Dimensions that may differ, by the names of [`crate::Dimensions::compared`].
    pub across: BTreeSet<String>,
    /// Quantities that are compared; empty: all.
    pub only: BTreeSet<String>,
    /// Seed of the bootstrap: the same records, options and seed give the same verdict.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        let none = BTreeSet::new();
        Self { tolerances: Tolerances::default(), across: none.clone(), only: none, seed: 1 }
    }
}

/// Why two records cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CompareError {
    /// They were measured under something else.
    #[error(
        "the records differ in {}: {:?} and {:?}",
        difference.name, difference.a, difference.b
    )]
    Dimension {
        /// The first dimension in which they differ.
        difference: Difference,
    },
    /// A name in [`Options::across`] that neither record has.
    #[error("{name}: not a dimension; expected one of {known}")]
    UnknownDimension {
        /// As given.
        name: String,
        /// What there is.
        known: String,
    },
    /// The same quantity in two units.
    #[error("{title} is in {a} in the first record and in {b} in the second")]
    Unit {
        /// Which series.
        title: String,
        /// Its unit in the first.
        a: String,
        /// Its unit in the second.
        b: String,
    },
    /// No quantity is in both.
    #[error("the records have no quantity in common: {a} and {b}")]
    Nothing {
        /// Quantities of the first.
        a: String,
        /// Quantities of the second.
        b: String,
    },
}

/// What came of comparing B with A.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Of all quantities together.
    pub verdict: Verdict,
    /// What a reader must know beside it: records that are invalid or cut short, series that only one has.
    pub notes: Vec<String>,
    /// Dimensions that differ and were allowed to.
    pub across: Vec<Difference>,
    /// Quantiles that were judged.
    pub judged: usize,
    /// Every series that both have, in the order of the first record.
    pub quantities: Vec<Quantity>,
}

/// One series of both records.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quantity {
    /// Its title: `rtt aws -> gcp`.
    pub title: String,
    /// Which quantity.
    pub name: String,
    /// The cloud that measured.
    pub from: Option<String>,
    /// The cloud that answered.
    pub to: Option<String>,
    /// Unit of its figures.
    pub unit: String,
    /// Of its quantiles together.
    pub verdict: Verdict,
    /// Samples in the first record.
    pub count_a: usize,
    /// Samples in the second.
    pub count_b: usize,
    /// Samples per block of the bootstrap: how far samples depend on each other; the larger of both records.
    pub block_length: usize,
    /// Largest distance between both distribution functions, 0 to 1; not judged.
    pub ks_distance: f64,
    /// p50, p90, p99.
    pub quantiles: Vec<Judged>,
}

/// Compares B with A, the reference.
///
/// # Errors
/// [`CompareError`] when a comparison would mean nothing.
pub fn compare(a: &Record, b: &Record, options: &Options) -> Result<Comparison, CompareError> {
    let across = differences(a, b, &options.across)?;
    let pairs = common(a, b, &options.only)?;
    let published = (a.published.is_some(), b.published.is_some());
    let judged: usize =
        pairs.iter().map(|(one, _)| options.tolerances.judged(&one.name, published != (false, false))).sum();
    let mut quantities = Vec::new();
    for (number, (one, other)) in (0_u64..).zip(&pairs) {
        let seed = options.seed.wrapping_add(number << 32);
        quantities.push(judge::quantity(one, other, published, options, judged, seed));
    }
    let (notes, doubtful) = notes(a, b, &options.only);
    let found = Verdict::of_all(quantities.iter().map(|quantity| quantity.verdict));
    let verdict = if doubtful { Verdict::Inconclusive } else { found };
    Ok(Comparison { verdict, notes, across, judged, quantities })
}

/// The allowed differences; an error for the first that is not.
fn differences(a: &Record, b: &Record, across: &BTreeSet<String>) -> Result<Vec<Difference>, CompareError> {
    let mut known: BTreeSet<String> = a.dimensions.compared().into_keys().collect();
    known.extend(b.dimensions.compared().into_keys());
    if let Some(name) = across.iter().find(|name| !known.contains(*name)) {
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        return Err(CompareError::UnknownDimension { name: name.clone(), known });
    }
    let differences = a.dimensions.differences(&b.dimensions);
    match differences.iter().find(|difference| !across.contains(&difference.name)) {
        Some(difference) => Err(CompareError::Dimension { difference: difference.clone() }),
        None => Ok(differences),
    }
}

fn wanted<'a>(record: &'a Record, only: &'a BTreeSet<String>) -> impl Iterator<Item = &'a Series> {
    let measured = record.series.iter().filter(|series| !series.samples.is_empty());
    measured.filter(|series| only.is_empty() || only.contains(&series.name))
}

fn common<'a>(
    a: &'a Record,
    b: &'a Record,
    only: &'a BTreeSet<String>,
) -> Result<Vec<(&'a Series, &'a Series)>, CompareError> {
    let mut pairs = Vec::new();
    for one in wanted(a, only) {
        let Some(other) = wanted(b, only).find(|other| other.key() == one.key()) else { continue };
        if one.unit != other.unit {
            let (title, a, b) = (one.title(), one.unit.clone(), other.unit.clone());
            return Err(CompareError::Unit { title, a, b });
        }
        pairs.push((one, other));
    }
    if pairs.is_empty() {
        let names = |record| {
            let names = wanted(record, only).map(Series::title).collect::<Vec<_>>();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        return Err(CompareError::Nothing { a: names(a), b: names(b) });
    }
    Ok(pairs)
}

/// What a reader must know, and whether it takes the verdict's ground away.
fn notes(a: &Record, b: &Record, only: &BTreeSet<String>) -> (Vec<String>, bool) {
    let mut notes = Vec::new();
    for (name, record) in [("A", a), ("B", b)] {
        notes.extend(record.invalid.iter().map(|reason| format!("{name} is marked invalid: {reason}")));
        notes.extend(record.incomplete.iter().map(|reason| format!("{name} is incomplete: {reason}")));
        notes.extend(record.published.iter().map(|source| {
            format!("{name} holds published figures, taken as exact; only p50 is judged. Source: {source}")
        }));
    }
    let invalid = !a.invalid.is_empty() || !b.invalid.is_empty();
    let mut missing = Vec::new();
    for (has, lacks, record, other) in [("A", "B", a, b), ("B", "A", b, a)] {
        for series in wanted(record, only) {
            if !wanted(other, only).any(|found| found.key() == series.key()) {
                missing.push(format!("{} is in {has} and not in {lacks}", series.title()));
            }
        }
    }
    // A figure that vanished is no pass: name the quantities that count with `only`.
    let doubtful = invalid || !missing.is_empty();
    notes.extend(missing);
    (notes, doubtful)
}

#[cfg(test)]
mod tests;
