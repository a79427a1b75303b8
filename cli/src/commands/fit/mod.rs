//! `farquorum fit real.json`: links for farquorum.toml that reproduce recorded round trips.

mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use farquorum_baseline::fit::{FitError, FittedPair, fit, to_toml};
use farquorum_baseline::{report, write_file};
use serde::Serialize;

use super::compare::{Shown, load};
use crate::args::Global;
use crate::failure::{Failure, Kind};
use crate::output::{self, Format, Show, rows};

/// `farquorum fit`
#[derive(Debug, Args)]
pub(crate) struct FitArgs {
    /// A record that `farquorum measure` wrote
    #[arg(value_name = "REAL.json")]
    record: PathBuf,
    /// Write the links to this file and print what was found; without it, print the links themselves
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Simulate these links, measure, and compare with the record: 0 they reproduce it, 1 they do not, 5 undecided
    #[arg(long)]
    verify: bool,
    /// Round trips of each pair to measure with --verify
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "verify")]
    samples: u32,
}

/// Fits and prints.
pub(crate) fn run(global: &Global, args: &FitArgs) -> Result<ExitCode, Failure> {
    let record = load(&args.record)?;
    let pairs = fit(&record).map_err(|error| {
        let hint = match error {
            FitError::Invalid { .. } => "farquorum measure again, on a machine that does less beside it",
            FitError::TooLong { .. } | FitError::Unit { .. } => {
                "farquorum measure again, of a network that answers in ms"
            }
            _ => "farquorum measure, which records some 3,000 round trips of each pair of clouds",
        };
        Failure::new(Kind::Refused, format!("{}: {error}", args.record.display())).hint(hint)
    })?;
    let links = to_toml(&pairs, &record.dimensions);
    if let Some(path) = &args.out {
        write_file(path, &links).map_err(Failure::failed)?;
    }
    if global.output == Format::Table && args.out.is_none() {
        output::write_line(links.trim_end())?;
        if !args.verify {
            return Ok(ExitCode::SUCCESS);
        }
        output::write_line("")?;
    }
    let comparison = if args.verify {
        let real = (args.record.as_path(), &record);
        Some(verify::run(global, real, (&pairs, &links), args.samples)?)
    } else {
        None
    };
    let code = comparison.as_ref().map_or(ExitCode::SUCCESS, Shown::code);
    output::print(
        global.output,
        &Fitted { pairs: pairs.into_iter().map(Pair::of).collect(), links, comparison },
    )?;
    Ok(code)
}

#[derive(Serialize)]
struct Fitted {
    pairs: Vec<Pair>,
    /// The links as TOML.
    links: String,
    /// What the simulation of these links shows against the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<Shown>,
}

#[derive(Serialize)]
struct Pair {
    from: String,
    to: String,
    samples: usize,
    delay_ms: f64,
    jitter_memory_ms: f64,
    loss: f64,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
}

impl Pair {
    fn of(pair: FittedPair) -> Self {
        let [p50_ms, p90_ms, p99_ms] = pair.expected_ms;
        Self {
            from: pair.from,
            to: pair.to,
            samples: pair.count,
            delay_ms: pair.delay_ms,
            jitter_memory_ms: pair.jitter_memory_ms,
            loss: pair.loss,
            p50_ms,
            p90_ms,
            p99_ms,
        }
    }
}

impl Show for Fitted {
    fn table(&self) -> String {
        let row = |pair: &Pair| {
            [
                format!("{} - {}", pair.from, pair.to),
                pair.samples.to_string(),
                format!("{} ms", report::figure(pair.delay_ms)),
                format!("{} ms", report::figure(pair.jitter_memory_ms)),
                format!("{} %", pair.loss * 100.0),
                [pair.p50_ms, pair.p90_ms, pair.p99_ms].map(report::figure).join(" / ") + " ms",
            ]
        };
        let pairs = rows(
            ["CLOUDS", "SAMPLES", "DELAY EACH WAY", "JITTER MEMORY", "LOSS", "RTT P50 / P90 / P99"],
            self.pairs.iter().map(row),
        );
        match &self.comparison {
            Some(comparison) => format!("{pairs}\n\n{}", comparison.table()),
            None => pairs,
        }
    }
}
