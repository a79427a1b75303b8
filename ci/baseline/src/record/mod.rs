//! A record: series of samples with the dimensions that they were measured under.
//!
//! On disk it is two files: `NAME.json` says what was measured under what, with counts and quantiles that people can
//! read; `NAME.samples.csv.gz` beside it holds every sample. The JSON carries the digest of the samples, and reading
//! recomputes the quantiles, so a file that was cut or edited by hand is found. `ci/baseline/record.schema.json` is
//! the published form of the JSON.

mod dimensions;
mod document;
mod error;
mod file;
mod samples;
mod series;

pub use dimensions::{Cloud, Difference, Dimensions, rfc3339};
pub use error::RecordError;
pub use file::{samples_path, write_file};
pub use series::{Sample, Series};

/// The JSON Schema (draft 2020-12) of a record's JSON file.
pub const SCHEMA: &str = include_str!("../../record.schema.json");

/// Series and their dimensions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Under what it was measured.
    pub dimensions: Dimensions,
    /// Why its figures are not to be trusted, such as a lab that delivered late; empty: they are.
    pub invalid: Vec<String>,
    /// Why the recording ended before its end; `None`: it is complete.
    pub incomplete: Option<String>,
    /// Where figures that were not measured but published come from. Every series then holds one figure, which a
    /// comparison takes as exact; `None`: measured.
    pub published: Option<String>,
    /// What was measured, each (name, from, to) once.
    pub series: Vec<Series>,
}

impl Record {
    /// The series of this quantity between these clouds (`None` for a quantity of the whole cluster).
    pub fn find(&self, name: &str, from: Option<&str>, to: Option<&str>) -> Option<&Series> {
        self.series.iter().find(|series| series.key() == (name, from, to))
    }
}
