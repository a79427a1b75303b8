//! What a recording ends with: the quantiles of every series, and where the samples are.

use std::path::{Path, PathBuf};

use farquorum_baseline::{Quantiles, Record, Series, samples_path};
use serde::Serialize;

use crate::output::{Show, not_valid, rows};

/// A record that was written, in short.
#[derive(Serialize)]
pub(crate) struct Written {
    record: PathBuf,
    samples: PathBuf,
    valid: bool,
    invalid_reasons: Vec<String>,
    complete: bool,
    incomplete_reason: Option<String>,
    series: Vec<Figure>,
}

/// A series in short.
#[derive(Serialize)]
struct Figure {
    series: String,
    unit: String,
    lost: Option<u64>,
    #[serde(flatten)]
    quantiles: Option<Quantiles>,
}

impl Written {
    pub(super) fn of(record: &Record, path: &Path) -> Self {
        let figure = |series: &Series| Figure {
            series: series.title(),
            unit: series.unit.clone(),
            lost: series.lost,
            quantiles: series.quantiles(),
        };
        Self {
            record: path.to_owned(),
            samples: samples_path(path),
            valid: record.invalid.is_empty(),
            invalid_reasons: record.invalid.clone(),
            complete: record.incomplete.is_none(),
            incomplete_reason: record.incomplete.clone(),
            series: record.series.iter().map(figure).collect(),
        }
    }
}

impl Show for Written {
    fn table(&self) -> String {
        let number = |value: f64| if value >= 1000.0 { format!("{value:.0}") } else { format!("{value:.2}") };
        let row = |figure: &Figure| {
            let lost = figure.lost.map_or_else(|| "-".to_owned(), |lost| lost.to_string());
            let (name, unit) = (figure.series.clone(), figure.unit.clone());
            let of = |value: fn(&Quantiles) -> f64| {
                figure.quantiles.as_ref().map_or_else(|| "-".to_owned(), |q| number(value(q)))
            };
            let count = figure.quantiles.as_ref().map_or(0, |q| q.count).to_string();
            [
                name,
                count,
                lost,
                of(|q| q.min),
                of(|q| q.p50),
                of(|q| q.p90),
                of(|q| q.p99),
                of(|q| q.max),
                unit,
            ]
        };
        let series = rows(
            ["SERIES", "SAMPLES", "LOST", "MIN", "P50", "P90", "P99", "MAX", "UNIT"],
            self.series.iter().map(row),
        );
        let mut text =
            format!("{series}\n\nwritten: {}\n         {}", self.record.display(), self.samples.display());
        text.push_str(&not_valid(&self.invalid_reasons));
        if let Some(reason) = &self.incomplete_reason {
            text.push_str(&format!("\nNOT COMPLETE: {reason}"));
        }
        text
    }
}
