//! Measurements: records on disk, comparing two of them, fitting a simulation's links to one,
//! and the report.
//!
//! Samples are kept as they were measured; quantiles are computed from them, never stored instead of them. What a
//! figure was measured under (its dimensions) travels with it. Everything but reading and writing is pure.

pub mod compare;
pub mod fit;
mod number;
mod quantiles;
mod record;
pub mod report;

pub use quantiles::Quantiles;
pub use record::{
    Cloud, Difference, Dimensions, Record, RecordError, SCHEMA, Sample, Series, rfc3339, samples_path,
    write_file,
};
