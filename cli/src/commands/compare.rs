//! `farquorum compare A B`: whether two recordings show the same network. Reads files only; what judges is in
//! farquorum-baseline.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use farquorum_baseline::compare::{
    CompareError, Comparison, Judged, Options, Quantity, Tolerances, Verdict, compare,
};
use farquorum_baseline::{Record, RecordError, report, write_file};
use serde::Serialize;

use super::measure;
use crate::args::Global;
use crate::failure::{Failure, Kind};
use crate::output::{self, Show, rows};

/// `farquorum compare`
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// The reference: a record that `farquorum measure` wrote
    #[arg(value_name = "A.json")]
    a: PathBuf,
    /// The record that is judged
    #[arg(value_name = "B.json")]
    b: PathBuf,
    /// How far a quantile may move, in percent (repeatable, commas): p50=2.5,rtt.p99=15,election.p50=off
    ///
    /// Without it: rtt 2.5 (p50), 5 (p90), 10 (p99), but at least 0.3, 0.3 and 1 ms; commit and read twice the
    /// percentages; election p50 25; throughput p50 10.
    #[arg(long, value_name = "[QUANTITY.]QUANTILE=PERCENT", value_delimiter = ',')]
    tolerance: Vec<String>,
    /// Dimensions that may differ (repeatable, commas): kernel,processors,backend
    #[arg(long, value_name = "DIMENSION", value_delimiter = ',')]
    across: Vec<String>,
    /// Compare these quantities only (repeatable, commas): rtt,commit
    #[arg(long, value_name = "QUANTITY", value_delimiter = ',')]
    only: Vec<String>,
    /// Write the report with plots to this file: one HTML page that needs no network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Seed of the bootstrap; the same one gives the same verdict
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

/// Compares, prints, writes the report.
pub(crate) fn run(global: &Global, args: &CompareArgs) -> Result<ExitCode, Failure> {
    let options = Options {
        tolerances: Tolerances::default()
            .with(args.tolerance.iter().map(String::as_str))
            .map_err(|error| Failure::usage(format!("--tolerance {error}")))?,
        across: args.across.iter().cloned().collect(),
        only: args.only.iter().cloned().collect::<BTreeSet<_>>(),
        seed: args.seed,
    };
    let (a, b) = (load(&args.a)?, load(&args.b)?);
    known(&args.only, [&a, &b])?;
    let comparison = compare(&a, &b, &options).map_err(refused)?;
    let names = [&args.a, &args.b].map(|path| path.display().to_string());
    if let Some(path) = &args.html {
        let page = report::html(&comparison, (&names[0], &a), (&names[1], &b));
        write_file(path, &page).map_err(Failure::failed)?;
    }
    let [a, b] = names;
    let shown = Shown { words: report::verdict(&comparison), a, b, comparison };
    output::print(global.output, &shown)?;
    Ok(shown.code())
}

/// Reads a record. What is wrong in a file is the user's to put right; what could not be read may have other causes.
pub(crate) fn load(path: &Path) -> Result<Record, Failure> {
    Record::load(path).map_err(|error| match error {
        RecordError::Read { .. } => Failure::usage(&error)
            .hint("farquorum measure writes NAME.json and NAME.samples.csv.gz; both are needed"),
        other => Failure::usage(other),
    })
}

/// What neither record has is a slip of the pen, also beside what they have.
fn known(only: &[String], records: [&Record; 2]) -> Result<(), Failure> {
    let series = || records.iter().flat_map(|record| &record.series).map(|series| series.name.as_str());
    let unknown = only.iter().find(|wanted| {
        !series().any(|name| name == wanted.as_str())
            && !measure::Quantity::ALL.iter().any(|known| known.name() == wanted.as_str())
    });
    let Some(unknown) = unknown else { return Ok(()) };
    let has: BTreeSet<&str> = series().collect();
    let has = has.into_iter().collect::<Vec<_>>().join(", ");
    Err(Failure::usage(format!("--only {unknown}: there is no such quantity; the records have {has}")))
}

fn refused(error: CompareError) -> Failure {
    let hint = match &error {
        CompareError::Dimension { difference } => {
            format!("--across {} when they may differ in it", difference.name)
        }
        CompareError::UnknownDimension { .. } => return Failure::usage(format!("--across {error}")),
        CompareError::Nothing { .. } => "--only with a quantity that both have".to_owned(),
        CompareError::Unit { .. } => "--only with the other quantities".to_owned(),
    };
    Failure::new(Kind::Refused, error).hint(hint)
}

/// A comparison as it is printed.
#[derive(Serialize)]
pub(super) struct Shown {
    /// The verdict in words.
    pub(super) words: String,
    /// Which record is the reference.
    pub(super) a: String,
    /// Which is judged.
    pub(super) b: String,
    /// What came of it.
    #[serde(flatten)]
    pub(super) comparison: Comparison,
}

impl Shown {
    /// Exit code of the verdict: 0 pass, 1 fail, 5 inconclusive.
    pub(super) fn code(&self) -> ExitCode {
        ExitCode::from(match self.comparison.verdict {
            Verdict::Pass => 0,
            Verdict::Fail => 1,
            Verdict::Inconclusive => 5,
        })
    }
}

impl Show for Shown {
    fn table(&self) -> String {
        let comparison = &self.comparison;
        let lines = comparison.quantities.iter().flat_map(|quantity| {
            let line = |judged: &Judged| row(quantity, judged);
            quantity.quantiles.iter().map(line).collect::<Vec<_>>()
        });
        let headings = ["QUANTITY", "", "A", "B", "UNIT", "CHANGE", "95 % INTERVAL", "TOLERANCE", "VERDICT"];
        let mut text = rows(headings, lines);
        text.push('\n');
        for difference in &comparison.across {
            let (name, a, b) = (&difference.name, &difference.a, &difference.b);
            text.push_str(&format!("\nnote: {name} differs and was allowed to: {a:?} and {b:?}"));
        }
        for note in &comparison.notes {
            text.push_str(&format!("\nnote: {note}"));
        }
        format!("{text}\n{}: {}", comparison.verdict.name(), self.words)
    }
}

fn row(quantity: &Quantity, judged: &Judged) -> [String; 9] {
    let first = judged.quantile == farquorum_baseline::compare::Percentile::P50;
    let interval = match (judged.low, judged.high) {
        (Some(_), Some(_)) => format!("{} to {}", report::change(judged.low), report::change(judged.high)),
        _ => "-".to_owned(),
    };
    let verdict = match (judged.verdict, judged.samples_needed) {
        (None, _) => "-".to_owned(),
        (Some(verdict), Some(needed)) => format!("{}, needs {needed} samples", verdict.name()),
        (Some(verdict), None) => verdict.name().to_owned(),
    };
    [
        if first { quantity.title.clone() } else { String::new() },
        judged.quantile.name().to_owned(),
        report::figure(judged.a),
        report::figure(judged.b),
        quantity.unit.clone(),
        report::change(judged.ratio),
        interval,
        report::tolerance(judged),
        verdict,
    ]
}
