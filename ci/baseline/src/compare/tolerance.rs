//! How far a quantile may move.
//!
//! The defaults for round trips: p50 2.5 %, p90 5 %, p99 10 %. Half of the 5 % shift of p50 that must be found, so
//! that "the same" and "moved by 5 %" are equally far from the border; the tail gets more, because its sample
//! quantiles scatter more (at 3,000 samples p99 rests on the 30 largest). None is less than what the lab itself
//! is allowed to be off: 0.3 ms for p50 and p90, 1 ms for p99, which matters for pairs of a few milliseconds.
//!
//! Commits and reads also wait for the disk and the machine, hence twice as much. Elections and throughput have tens
//! of samples, not thousands: their p50 is judged, their tails are shown.

use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

/// A quantile that is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Percentile {
    /// Median.
    P50,
    /// 90th percentile.
    P90,
    /// 99th percentile.
    P99,
}

impl Percentile {
    /// All of them, ascending.
    pub const ALL: [Self; 3] = [Self::P50, Self::P90, Self::P99];

    /// 50, 90, 99.
    pub fn percent(self) -> usize {
        match self {
            Self::P50 => 50,
            Self::P90 => 90,
            Self::P99 => 99,
        }
    }

    /// `p50`, `p90`, `p99`.
    pub fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
        }
    }

    /// Samples without which nothing is said: ten beyond the quantile, so that it rests on more than a few outliers;
    /// for the median twenty in all.
    pub fn samples_min(self) -> usize {
        match self {
            Self::P50 => 20,
            Self::P90 => 100,
            Self::P99 => 1_000,
        }
    }
}

/// How far one quantile of one quantity may move.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tolerance {
    /// As a share of A's quantile: 0.025 is 2.5 %.
    pub share: f64,
    /// Never less than this, in the quantity's unit.
    pub floor: f64,
}

/// What was said on the command line: `p50=3`, `rtt.p99=15`, `election.p90=off`.
#[derive(Clone, Debug, PartialEq)]
struct Rule {
    /// `None`: every quantity.
    quantity: Option<String>,
    percentile: Percentile,
    /// `None`: not judged.
    share: Option<f64>,
}

/// Tolerances of every quantity: the defaults, and rules that replace them; a later rule wins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tolerances {
    rules: Vec<Rule>,
}

/// A rule that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{text:?}: {reason}; expected [QUANTITY.]QUANTILE=PERCENT, such as p50=2.5, rtt.p99=15 or election.p50=off"
)]
pub struct ToleranceError {
    text: String,
    reason: &'static str,
}

impl Tolerances {
    /// Adds rules, in order.
    ///
    /// # Errors
    /// [`ToleranceError`] names the first that cannot be.
    pub fn with<'a>(mut self, rules: impl IntoIterator<Item = &'a str>) -> Result<Self, ToleranceError> {
        for text in rules {
            self.rules.push(text.parse()?);
        }
        Ok(self)
    }

    /// Of one quantile; `None`: it is shown, not judged.
    pub fn of(&self, quantity: &str, percentile: Percentile) -> Option<Tolerance> {
        let default = default(quantity, percentile);
        let matches = |rule: &&Rule| {
            let quantity = rule.quantity.as_deref().is_none_or(|name| name == quantity);
            quantity && rule.percentile == percentile
        };
        match self.rules.iter().rev().find(matches) {
            Some(rule) => rule.share.map(|share| Tolerance { share, floor: 0.0 }),
            None => default,
        }
    }

    /// How many quantiles of a quantity are judged. Of a published figure only p50 can be.
    pub(super) fn judged(&self, quantity: &str, published: bool) -> usize {
        let judged = |percentile: &&Percentile| {
            self.of(quantity, **percentile).is_some() && (!published || **percentile == Percentile::P50)
        };
        Percentile::ALL.iter().filter(judged).count()
    }
}

fn default(quantity: &str, percentile: Percentile) -> Option<Tolerance> {
    use Percentile::{P50, P90, P99};
    let (share, floor) = match (quantity, percentile) {
        ("rtt", P50) => (0.025, 0.3),
        ("rtt", P90) => (0.05, 0.3),
        ("rtt", P99) => (0.1, 1.0),
        ("election", P50) => (0.25, 0.0),
        ("throughput", P50) => (0.1, 0.0),
        ("election" | "throughput", _) => return None,
        (_, P50) => (0.05, 0.3),
        (_, P90) => (0.1, 0.3),
        (_, P99) => (0.2, 1.0),
    };
    Some(Tolerance { share, floor })
}

impl FromStr for Rule {
    type Err = ToleranceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |reason| ToleranceError { text: text.to_owned(), reason };
        let (what, share) = text.split_once('=').ok_or_else(|| wrong("has no '='"))?;
        let (quantity, name) = match what.trim().rsplit_once('.') {
            Some((quantity, name)) => (Some(quantity.to_owned()), name),
            None => (None, what.trim()),
        };
        let percentile = Percentile::ALL.into_iter().find(|percentile| percentile.name() == name);
        let percentile = percentile.ok_or_else(|| wrong("the quantile is not p50, p90 or p99"))?;
        let share = match share.trim().trim_end_matches('%') {
            "off" => None,
            share => match share.trim().parse::<f64>() {
                Ok(share) if share > 0.0 && share <= 100.0 => Some(share / 100.0),
                _ => return Err(wrong("the tolerance is not a percentage above 0 and up to 100")),
            },
        };
        Ok(Self { quantity, percentile, share })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_wins() {
        let rules = ["p50=3", "rtt.p99=15 %", "election.p50=off", "p90=7%", "rtt.p90=8"];
        let tolerances = Tolerances::default().with(rules).unwrap();
        let share = |quantity, percentile| tolerances.of(quantity, percentile).map(|found| found.share);
        assert_eq!(share("rtt", Percentile::P50), Some(0.03));
        assert_eq!(share("rtt", Percentile::P90), Some(0.08));
        assert_eq!(share("rtt", Percentile::P99), Some(0.15));
        assert_eq!(share("commit", Percentile::P99), Some(0.2));
        assert_eq!(share("election", Percentile::P50), None);
        assert_eq!(share("election", Percentile::P90), Some(0.07));
    }

    #[test]
    fn bad_rules_say_what_is_expected() {
        for (text, reason) in [
            ("5", "has no '='"),
            ("p95=5", "the quantile is not p50, p90 or p99"),
            ("rtt.=5", "the quantile is not"),
            ("p50=-1", "not a percentage above 0"),
            ("p50=0", "not a percentage above 0"),
            ("p50=NaN", "not a percentage above 0"),
            ("p50=101", "not a percentage above 0"),
        ] {
            let error = Tolerances::default().with([text]).unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains("rtt.p99=15"), "{error}");
        }
    }
}
