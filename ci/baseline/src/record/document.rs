//! The JSON of a record: its shape, made from a record and checked against the samples when it is read.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::dimensions::is_rfc3339;
use super::{Dimensions, Record, RecordError, Series};
use crate::quantiles::Quantiles;

/// Version of the format; a reader refuses another one.
const FORMAT: u32 = 1;

/// Longest name of a series or a cloud: what makes a line of samples short.
const NAME_MAX: usize = 64;

/// `NAME.json`. Unknown fields are refused, so that a misspelt one is not passed over; a field more is a new format.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    format: u32,
    dimensions: Dimensions,
    valid: bool,
    invalid_reasons: Vec<String>,
    complete: bool,
    incomplete_reason: Option<String>,
    published: Option<String>,
    pub(super) samples: SamplesFile,
    series: Vec<Entry>,
}

/// The file of samples beside the JSON.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SamplesFile {
    /// Its name; always in the same folder.
    pub(super) file: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub(super) sha256: String,
    /// Samples in it.
    pub(super) rows: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    unit: String,
    from: Option<String>,
    to: Option<String>,
    lost: Option<u64>,
    blocks: Vec<Block>,
    quantiles: Option<Quantiles>,
}

/// One stretch of measuring.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    block: u32,
    count: u64,
    from_s: f64,
    to_s: f64,
}

impl Document {
    /// The JSON of a record whose samples are in this file. `path` is where it will be written, for messages.
    pub(super) fn of(path: &Path, record: &Record, samples: SamplesFile) -> Result<Self, RecordError> {
        let document = Self {
            format: FORMAT,
            dimensions: record.dimensions.clone(),
            valid: record.invalid.is_empty(),
            invalid_reasons: record.invalid.clone(),
            complete: record.incomplete.is_none(),
            incomplete_reason: record.incomplete.clone(),
            published: record.published.clone(),
            samples,
            series: record.series.iter().map(Entry::of).collect(),
        };
        for (place, series) in record.series.iter().enumerate() {
            let good = |number: f64| number.is_finite() && number >= 0.0;
            if let Some(bad) = series.samples.iter().find(|s| !good(s.value) || !good(s.at_s)) {
                let message = format!("a sample is {bad:?}; expected numbers of at least 0");
                return Err(RecordError::field(path, format!("series[{place}]"), message));
            }
        }
        document.check(path).map(|()| document)
    }

    /// A record without samples. They are read into it, and then [`Self::check_samples`] is asked.
    pub(super) fn record(&self) -> Record {
        let series = |entry: &Entry| Series {
            name: entry.name.clone(),
            unit: entry.unit.clone(),
            from: entry.from.clone(),
            to: entry.to.clone(),
            lost: entry.lost,
            samples: Vec::new(),
        };
        Record {
            dimensions: self.dimensions.clone(),
            invalid: self.invalid_reasons.clone(),
            incomplete: self.incomplete_reason.clone(),
            published: self.published.clone(),
            series: self.series.iter().map(series).collect(),
        }
    }

    /// What the JSON says of itself.
    pub(super) fn check(&self, path: &Path) -> Result<(), RecordError> {
        let wrong = |field: &str, message: String| Err(RecordError::field(path, field, message));
        if self.format != FORMAT {
            return wrong("format", format!("is {}; this version reads {FORMAT}", self.format));
        }
        if !is_rfc3339(&self.dimensions.when) {
            let message = format!("is {:?}; expected a time like 2026-01-31T12:00:00Z", self.dimensions.when);
            return wrong("dimensions.when", message);
        }
        let digest = &self.dimensions.config_sha256;
        if !digest.is_empty() && !is_sha256(digest) {
            let message = format!("is {digest:?}; expected 64 of 0-9 and a-f, or nothing");
            return wrong("dimensions.config_sha256", message);
        }
        if self.valid != self.invalid_reasons.is_empty() {
            return wrong(
                "valid",
                format!("is {}; expected true without invalid_reasons, else false", self.valid),
            );
        }
        if self.complete != self.incomplete_reason.is_none() {
            let message =
                format!("is {}; expected true without an incomplete_reason, else false", self.complete);
            return wrong("complete", message);
        }
        for (place, cloud) in self.dimensions.clouds.iter().enumerate() {
            name(path, &format!("dimensions.clouds[{place}].label"), &cloud.label)?;
        }
        let mut seen = BTreeSet::new();
        for (place, series) in self.series.iter().enumerate() {
            let at = format!("series[{place}]");
            name(path, &format!("{at}.name"), &series.name)?;
            for (side, cloud) in [("from", &series.from), ("to", &series.to)] {
                cloud.as_deref().map_or(Ok(()), |cloud| name(path, &format!("{at}.{side}"), cloud))?;
            }
            if series.unit.is_empty() {
                return wrong(&format!("{at}.unit"), "is empty; expected a unit such as ms".to_owned());
            }
            if !seen.insert((&series.name, &series.from, &series.to)) {
                return wrong(&at, "is there twice; expected every name, from and to once".to_owned());
            }
            let count: u64 = series.blocks.iter().map(|block| block.count).sum();
            if self.published.is_some() && count != 1 {
                return wrong(&at, format!("has {count} samples; a published series holds one figure"));
            }
        }
        Ok(())
    }

    /// That counts, blocks and quantiles are those of the samples.
    pub(super) fn check_samples(&self, path: &Path, record: &Record) -> Result<(), RecordError> {
        for (place, (entry, series)) in self.series.iter().zip(&record.series).enumerate() {
            let found = Entry::of(series);
            let wrong = |field: &str, said: String, found: String| {
                let message = format!("is {said}, but the samples give {found}; one of the two was edited");
                Err(RecordError::field(path, format!("series[{place}].{field}"), message))
            };
            if !same_blocks(&entry.blocks, &found.blocks) {
                return wrong("blocks", brief(&entry.blocks), brief(&found.blocks));
            }
            let (said, found) = (figures(entry.quantiles.as_ref()), figures(found.quantiles.as_ref()));
            let pairs = said.iter().zip(&found);
            if let Some(((name, said), (_, found))) = pairs.into_iter().find(|((_, a), (_, b))| !same(*a, *b))
            {
                return wrong(&format!("quantiles.{name}"), text(*said), text(*found));
            }
        }
        Ok(())
    }
}

impl Entry {
    fn of(series: &Series) -> Self {
        let blocks = series.samples.chunk_by(|a, b| a.block == b.block).filter_map(|chunk| {
            Some(Block {
                block: chunk.first()?.block,
                count: u64::try_from(chunk.len()).unwrap_or(u64::MAX),
                from_s: chunk.first()?.at_s,
                to_s: chunk.last()?.at_s,
            })
        });
        Self {
            name: series.name.clone(),
            unit: series.unit.clone(),
            from: series.from.clone(),
            to: series.to.clone(),
            lost: series.lost,
            blocks: blocks.collect(),
            quantiles: series.quantiles(),
        }
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn name(path: &Path, field: &str, name: &str) -> Result<(), RecordError> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(allowed) {
        return Ok(());
    }
    let message = format!("is {name:?}; expected 1 to {NAME_MAX} of a-z, 0-9, '_' and '-'");
    Err(RecordError::field(path, field, message))
}

fn figures(quantiles: Option<&Quantiles>) -> [(&'static str, Option<f64>); 7] {
    let value = |get: fn(&Quantiles) -> f64| quantiles.map(get);
    let count = quantiles.and_then(|q| u32::try_from(q.count).ok()).map(f64::from);
    [
        ("count", count),
        ("min", value(|q| q.min)),
        ("p1", value(|q| q.p1)),
        ("p50", value(|q| q.p50)),
        ("p90", value(|q| q.p90)),
        ("p99", value(|q| q.p99)),
        ("max", value(|q| q.max)),
    ]
}

/// The same number: reading a decimal from JSON may cost its last binary digit.
fn same(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
        (a, b) => a == b,
    }
}

fn same_blocks(a: &[Block], b: &[Block]) -> bool {
    let alike = |(a, b): (&Block, &Block)| {
        (a.block, a.count) == (b.block, b.count)
            && same(Some(a.from_s), Some(b.from_s))
            && same(Some(a.to_s), Some(b.to_s))
    };
    a.len() == b.len() && a.iter().zip(b).all(alike)
}

fn brief(blocks: &[Block]) -> String {
    let count: u64 = blocks.iter().map(|block| block.count).sum();
    format!("{} blocks with {count} samples", blocks.len())
}

fn text(number: Option<f64>) -> String {
    number.map_or_else(|| "none".to_owned(), |number| number.to_string())
}
