//! Measurements: series of samples, quantiles, dimensions, JSON records.
//!
//! Samples are kept as they were measured; quantiles are computed from them, never stored instead of them. What a
//! figure was measured under (its dimensions) travels with it.

mod quantiles;
mod record;

pub use quantiles::Quantiles;
pub use record::{Dimensions, Record, Series};
