//! Measurements: series of samples, quantiles, dimensions, JSON records.
