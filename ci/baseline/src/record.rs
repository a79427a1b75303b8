//! A record: series with the dimensions that they were measured under. Two records are only comparable when their
//! dimensions agree.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::quantiles::Quantiles;

/// Under what something was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dimensions {
    /// Version of the binary.
    pub version: String,
    /// Kernel release.
    pub kernel: String,
    /// Logical processors.
    pub processors: usize,
    /// What shaped the network: one line.
    pub backend: String,
    /// Further ones, such as `rtt_ms` or `outstanding`.
    pub more: BTreeMap<String, String>,
}

/// Samples of one quantity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// What was measured: `commit`, `election`, ...
    pub name: String,
    /// Unit of every sample: `ms`, `1/s`.
    pub unit: String,
    /// As measured, in order.
    pub samples: Vec<f64>,
}

impl Series {
    /// An empty series.
    pub fn new(name: &str, unit: &str) -> Self {
        Self { name: name.to_owned(), unit: unit.to_owned(), samples: Vec::new() }
    }

    /// Its quantiles; `None` without samples.
    pub fn quantiles(&self) -> Option<Quantiles> {
        Quantiles::of(&self.samples)
    }
}

/// Series and their dimensions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Under what.
    pub dimensions: Dimensions,
    /// What.
    pub series: Vec<Series>,
}

impl Record {
    /// The first dimension in which two records differ, with both values.
    pub fn first_difference(&self, other: &Self) -> Option<(String, String, String)> {
        let pairs = |dimensions: &Dimensions| {
            let mut pairs = BTreeMap::from([
                ("version".to_owned(), dimensions.version.clone()),
                ("kernel".to_owned(), dimensions.kernel.clone()),
                ("processors".to_owned(), dimensions.processors.to_string()),
                ("backend".to_owned(), dimensions.backend.clone()),
            ]);
            pairs.extend(dimensions.more.clone());
            pairs
        };
        let (mine, theirs) = (pairs(&self.dimensions), pairs(&other.dimensions));
        let names: std::collections::BTreeSet<&String> = mine.keys().chain(theirs.keys()).collect();
        names.into_iter().find_map(|name| {
            let value = |side: &BTreeMap<String, String>| side.get(name).cloned().unwrap_or_default();
            (mine.get(name) != theirs.get(name)).then(|| (name.clone(), value(&mine), value(&theirs)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_json() {
        let mut commit = Series::new("commit", "ms");
        commit.samples.extend([50.5, 51.25]);
        let record = Record { series: vec![commit], ..Record::default() };
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
    }

    #[test]
    fn the_first_difference_is_named() {
        let one = Record::default();
        let mut other = one.clone();
        assert_eq!(one.first_difference(&other), None);
        other.dimensions.more.insert("rtt_ms".to_owned(), "50".to_owned());
        assert_eq!(one.first_difference(&other), Some(("rtt_ms".to_owned(), String::new(), "50".to_owned())));
    }
}
