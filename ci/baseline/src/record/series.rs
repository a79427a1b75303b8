//! Samples of one quantity, in the order in which they were measured.

use crate::quantiles::Quantiles;

/// One measured value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Which stretch of measuring it belongs to: 0, 1, ... Within one, samples follow each other evenly.
    pub block: u32,
    /// Seconds from the record's `when` to the end of this measurement; finite, at least 0.
    pub at_s: f64,
    /// In the series' unit; finite, at least 0.
    pub value: f64,
}

/// Samples of one quantity.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What was measured. In a record that is written: `rtt`, `commit`, `election`, `throughput`, `read`, or another
    /// word of a-z, 0-9, '_' and '-'.
    pub name: String,
    /// Unit of every sample: `ms`, `1/s`.
    pub unit: String,
    /// The cloud that measured, for a quantity of a directed pair of clouds.
    pub from: Option<String>,
    /// The cloud that answered.
    pub to: Option<String>,
    /// How many measurements had no answer; `None` where that was not counted.
    pub lost: Option<u64>,
    /// As measured, in order.
    pub samples: Vec<Sample>,
}

impl Series {
    /// An empty series of the whole cluster.
    pub fn new(name: &str, unit: &str) -> Self {
        let (name, unit) = (name.to_owned(), unit.to_owned());
        Self { name, unit, from: None, to: None, lost: None, samples: Vec::new() }
    }

    /// An empty series of a directed pair of clouds.
    pub fn between(name: &str, unit: &str, from: &str, to: &str) -> Self {
        Self { from: Some(from.to_owned()), to: Some(to.to_owned()), ..Self::new(name, unit) }
    }

    /// Adds a sample.
    pub fn push(&mut self, block: u32, at_s: f64, value: f64) {
        self.samples.push(Sample { block, at_s, value });
    }

    /// Adds a value whose time does not matter: for a series that is shown at once and not written.
    pub fn add(&mut self, value: f64) {
        self.push(0, 0.0, value);
    }

    /// What identifies it within a record.
    pub fn key(&self) -> (&str, Option<&str>, Option<&str>) {
        (&self.name, self.from.as_deref(), self.to.as_deref())
    }

    /// As people read it: `commit`, `rtt aws -> gcp`.
    pub fn title(&self) -> String {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => format!("{} {from} -> {to}", self.name),
            (Some(place), None) | (None, Some(place)) => format!("{} {place}", self.name),
            (None, None) => self.name.clone(),
        }
    }

    /// The values alone, in order.
    pub fn values(&self) -> Vec<f64> {
        self.samples.iter().map(|sample| sample.value).collect()
    }

    /// Its quantiles; `None` without samples.
    pub fn quantiles(&self) -> Option<Quantiles> {
        Quantiles::of(&self.values())
    }
}
