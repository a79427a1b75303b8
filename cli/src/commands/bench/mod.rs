//! `farquorum bench`: the figures of the README, measured here and now, in a simulation of its own with the preset
//! `seed`. Prints what it saw with its dimensions, and whether the emulated WAN kept its times; never judges the figures.

mod cluster;
mod wan;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use farquorum_baseline::{Dimensions, Quantiles, Record, Series};
use farquorum_client::Context;
use serde::Serialize;

use super::cluster::Connection;
use super::measure::millis;
use crate::args::Global;
use crate::failure::Failure;
use crate::output::{self, Show, not_valid, rows};
use crate::runtime;
use crate::sim::{self, Folder, Request, Response, UpArgs, Watch};

/// Name of the benchmark's simulation.
const NAME: &str = "bench";

/// `farquorum bench`
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// How often the leader is killed
    #[arg(long, default_value_t = 30)]
    kills: u32,
    /// Commits measured one after another
    #[arg(long, default_value_t = 300)]
    commits: u32,
    /// Seconds of each throughput run
    #[arg(long, default_value_t = 10)]
    seconds: u32,
}

/// Measures. Forks, so it is run without a runtime.
pub(crate) fn run(global: &Global, args: &BenchArgs) -> Result<ExitCode, Failure> {
    let mut record = Record::default();
    record.series.push(wan::packet_rate()?);
    let begun = Instant::now();
    let up =
        sim::up(global, NAME, &UpArgs { fresh: true, preset: Some("seed".to_owned()), ..UpArgs::default() })?;
    let result = runtime::block_on(measure(&up.folder, args, begun, &mut record));
    sim::take_down(&up.folder, true)?;
    result?;
    output::print(global.output, &Figures::of(record))?;
    Ok(ExitCode::SUCCESS)
}

async fn measure(
    folder: &Folder,
    args: &BenchArgs,
    begun: Instant,
    record: &mut Record,
) -> Result<(), Failure> {
    let context = Context::load(&folder.context()).map_err(Failure::failed)?;
    let connection = Connection::to(context, std::time::Duration::from_secs(30)).await?;
    connection.cluster.kv().set("bench/first", "1").await?;
    let mut first = Series::new("start to first committed write", "ms");
    first.add(millis(begun.elapsed()));
    record.series.push(first);
    record.dimensions = dimensions(folder)?;
    let watch = Watch::begin(&folder.socket()?)?;
    record.series.push(rtt_error(folder)?);
    record.series.extend(cluster::commit(&connection, args.commits, &folder.root).await?);
    record.series.push(cluster::assignment(&connection).await?);
    record.series.extend(cluster::throughput(folder, &connection, args.seconds).await?);
    record.series.extend(cluster::elections(folder, &connection, args.kills).await?);
    record.invalid = watch.end(&folder.socket()?)?.doubts;
    Ok(())
}

fn dimensions(folder: &Folder) -> Result<Dimensions, Failure> {
    let Response::Status(status) = sim::ask(&folder.socket()?, &Request::Status)? else {
        return Err(Failure::failed("the supervisor answered something else"));
    };
    Ok(Dimensions {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        processors: std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get),
        backend: status.backend,
        preset: "seed".to_owned(),
        ..Dimensions::default()
    })
}

fn rtt_error(folder: &Folder) -> Result<Series, Failure> {
    let Response::Checked(checked) = sim::ask(&folder.socket()?, &Request::Check)? else {
        return Err(Failure::failed("the supervisor answered something else"));
    };
    let mut series = Series::new("RTT inside the lab less configured", "ms");
    checked.pairs.iter().filter_map(|pair| pair.error_ms).for_each(|error_ms| series.add(error_ms));
    Ok(series)
}

/// Time of an fsync of 256 new bytes in this folder.
fn fsync(folder: &Path) -> Result<Series, Failure> {
    use std::io::Write as _;
    let path = folder.join("fsync-probe");
    let mut file = std::fs::File::create(&path)?;
    let mut series = Series::new("fsync of 256 bytes", "ms");
    for _ in 0..100 {
        let begun = Instant::now();
        file.write_all(&[0; 256])?;
        file.sync_data()?;
        series.add(millis(begun.elapsed()));
    }
    std::fs::remove_file(path)?;
    Ok(series)
}

#[derive(Serialize)]
struct Figures {
    dimensions: Dimensions,
    /// Why what was measured in the simulation does not count; empty when it does.
    invalid_reasons: Vec<String>,
    figures: Vec<Figure>,
}

#[derive(Serialize)]
struct Figure {
    name: String,
    unit: String,
    #[serde(flatten)]
    quantiles: Option<Quantiles>,
}

impl Figures {
    fn of(record: Record) -> Self {
        let figure =
            |series: Series| Figure { quantiles: series.quantiles(), name: series.name, unit: series.unit };
        Self {
            dimensions: record.dimensions,
            invalid_reasons: record.invalid,
            figures: record.series.into_iter().map(figure).collect(),
        }
    }
}

impl Show for Figures {
    fn table(&self) -> String {
        let number =
            |value: f64| if value.abs() >= 1000.0 { format!("{value:.0}") } else { format!("{value:.2}") };
        let row = |figure: &Figure| {
            let (name, unit) = (figure.name.clone(), figure.unit.clone());
            let Some(q) = figure.quantiles else {
                return [
                    name,
                    "no samples".to_owned(),
                    String::new(),
                    String::new(),
                    String::new(),
                    String::new(),
                    unit,
                ];
            };
            [name, q.count.to_string(), number(q.min), number(q.p50), number(q.p90), number(q.max), unit]
        };
        let figures =
            rows(["FIGURE", "SAMPLES", "MIN", "P50", "P90", "MAX", "UNIT"], self.figures.iter().map(row));
        let d = &self.dimensions;
        format!(
            "{figures}\n\nversion {}, Linux {}, {} processors, {}{}",
            d.version,
            d.kernel,
            d.processors,
            d.backend,
            not_valid(&self.invalid_reasons)
        )
    }
}
