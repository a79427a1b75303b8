//! `farquorum measure`: records how far apart the clouds are and what that costs, so that two recordings can be
//! compared: `farquorum compare`. The same command for a simulation and for a real deployment.
//!
//! Quantities are measured in turn, in blocks over time: what disturbs a network comes and goes in minutes, and samples
//! that were taken in one go would all see the same. A block counts when it is whole.

mod file;
mod leaders;
mod plan;
mod reads;
mod rtt;
mod setting;
mod show;
mod take;
mod writes;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use farquorum_baseline::{Record, SCHEMA, Series};
use indicatif::ProgressBar;
use tokio_util::sync::CancellationToken;

pub(crate) use leaders::{elections, lead_from};
pub(crate) use plan::Quantity;
pub(crate) use take::{Take, millis};
pub(crate) use writes::{commit, throughput};

use self::plan::{Plan, Wish};
use self::setting::Lab;
use self::show::Written;
use super::cluster::Connection;
use super::job_watch;
use crate::args::Global;
use crate::failure::{Failure, Kind};
use crate::{output, runtime};

/// Writes under way at once while throughput is measured: enough to fill batches over any link, and few enough for
/// two processors that emulate the network as well to keep its times.
const OUTSTANDING: usize = 64;

/// A commit before the first was measured, for the progress bar.
const COMMIT_GUESS_MS: u64 = 60;

/// `farquorum measure`
#[derive(Debug, Args)]
pub(crate) struct MeasureArgs {
    /// About a minute: 3 blocks, 300 samples; shows how things are, too little to compare p99
    #[arg(long)]
    quick: bool,
    /// Stretches of time over which the samples are spread [default: 10; quick: 3]
    #[arg(long, value_name = "N")]
    blocks: Option<u32>,
    /// Samples of each pair's round trip, of commits, of each kind of read [default: 3000; quick: 300]
    #[arg(long, value_name = "N")]
    samples: Option<u32>,
    /// Transfers of leadership, and elections [default: 30; quick: 3]
    #[arg(long, value_name = "N")]
    elections: Option<u32>,
    /// Only these, with commas between them
    #[arg(long, value_enum, value_delimiter = ',', value_name = "QUANTITIES")]
    only: Vec<Quantity>,
    /// In a real deployment, also what its users notice: throughput, transfers of leadership
    #[arg(long)]
    disruptive: bool,
    /// Hand leadership to this cloud before each block [default: in a simulation, the operator's; else it stays]
    #[arg(long, value_name = "CLOUD")]
    leader: Option<String>,
    /// Where to write; the samples go beside it [default: measure-TIME.json]
    #[arg(long, value_name = "FILE.json")]
    out: Option<PathBuf>,
    /// Replace what is there
    #[arg(long)]
    force: bool,
    /// Print the JSON Schema of recordings, and measure nothing
    #[arg(long, exclusive = true)]
    schema: bool,
}

/// Measures, writes, shows. Exit code 130 when it was interrupted, 1 when something broke; whole blocks are kept.
pub(crate) fn run(global: &Global, args: &MeasureArgs) -> Result<ExitCode, Failure> {
    if args.schema {
        return output::write_line(SCHEMA.trim_end()).map(|()| ExitCode::SUCCESS);
    }
    let (written, ended) = runtime::block_on_until(|stop| measure(global, args, stop))?;
    if let Some(written) = written {
        output::print(global.output, &written)?;
    }
    ended.map(|()| ExitCode::SUCCESS)
}

/// Measures and writes. What was written, and how it ended: an interrupt keeps whole blocks.
pub(crate) async fn measure(
    global: &Global,
    args: &MeasureArgs,
    stop: CancellationToken,
) -> Result<(Option<Written>, Result<(), Failure>), Failure> {
    let connection = Connection::open(global).await?;
    let lab = Lab::of(&connection);
    let plan = Plan::of(&args.wish(), lab.is_some())?.paced(rtt::slowest_ms(&connection).await);
    let mut record = Record {
        dimensions: setting::dimensions(global, &connection, lab.as_ref()).await?,
        ..Record::default()
    };
    record.dimensions.more.insert("outstanding".to_owned(), OUTSTANDING.to_string());
    let path = file::path(args.out.as_deref(), &record.dimensions.when, args.force)?;
    let leader = match (&args.leader, &lab) {
        (Some(cloud), _) => Some(cloud.clone()),
        (None, Some(lab)) => lab.operator_cloud()?,
        (None, None) if args.disruptive => connection.leader_cloud().await,
        (None, None) => None,
    };
    let leads = match &leader {
        Some(cloud) => Some(cloud.clone()),
        None => connection.leader_cloud().await,
    };
    record.dimensions.more.insert("leader".to_owned(), leads.unwrap_or_default());
    let watch = lab.as_ref().map(Lab::watch).transpose()?;
    let session = Session { connection, lab, plan, leader, begun: Instant::now(), bar: job_watch::bar(BAR) };
    let ended = tokio::select! {
        ended = session.blocks(&mut record) => ended,
        () = stop.cancelled() => Err(Failure::new(Kind::Interrupted, "")),
    };
    session.bar.finish_and_clear();
    if session.plan.quantities.iter().any(|quantity| quantity.writes()) {
        writes::tidy(&session.connection, OUTSTANDING).await;
    }
    if let Err(failure) = &ended {
        record.incomplete = Some(session.kept(&record, failure));
    }
    if record.series.is_empty() {
        return Ok((None, ended.map_err(nothing)));
    }
    if let (Some(lab), Some(watch)) = (&session.lab, &watch) {
        lab.judge(watch, &mut record)?;
    }
    record.save(&path).map_err(Failure::failed)?;
    Ok((Some(Written::of(&record, &path)), ended))
}

/// The bar counts expected milliseconds; a person sees blocks and the time left.
const BAR: &str = "{spinner} {msg:28} [{bar:30}] {percent:>3} %  {elapsed} (left {eta})";

/// Nothing to keep: no file is written, and that is said.
fn nothing(failure: Failure) -> Failure {
    match failure.kind() {
        Kind::Interrupted => Failure::new(
            Kind::Interrupted,
            "interrupted before the first block was whole: nothing was written",
        ),
        _ => failure,
    }
}

impl MeasureArgs {
    /// So many round trips of each pair, into this file.
    pub(crate) fn round_trips(samples: u32, out: &Path) -> Self {
        Self {
            quick: false,
            blocks: None,
            samples: Some(samples),
            elections: None,
            only: vec![Quantity::Rtt],
            disruptive: false,
            leader: None,
            out: Some(out.to_owned()),
            force: true,
            schema: false,
        }
    }

    fn wish(&self) -> Wish {
        Wish {
            quick: self.quick,
            blocks: self.blocks,
            samples: self.samples,
            elections: self.elections,
            only: self.only.clone(),
            disruptive: self.disruptive,
        }
    }
}

/// A recording under way.
struct Session {
    connection: Connection,
    lab: Option<Lab>,
    plan: Plan,
    /// Cloud that is to lead.
    leader: Option<String>,
    begun: Instant,
    bar: ProgressBar,
}

impl Session {
    /// All blocks; each is added when it is whole.
    async fn blocks(&self, record: &mut Record) -> Result<(), Failure> {
        self.bar.set_length(self.plan.total_ms(COMMIT_GUESS_MS));
        let mut before = 0;
        for block in 0..self.plan.blocks {
            for series in self.block(block, &mut before).await? {
                match record.series.iter_mut().find(|known| known.key() == series.key()) {
                    Some(known) => rtt::merge(known, series),
                    None => record.series.push(series),
                }
            }
            // A bar would say it on a terminal.
            if self.bar.is_hidden() {
                output::say_aside(&format!("block {} of {} is whole", block + 1, self.plan.blocks));
            }
        }
        Ok(())
    }

    /// Every quantity once; `before` is where the bar has to be.
    async fn block(&self, block: u32, before: &mut u64) -> Result<Vec<Series>, Failure> {
        if let Some(cloud) = &self.leader {
            leaders::lead_from(&self.connection, cloud).await?;
        }
        let mut all = Vec::new();
        let asked = |quantity: &&Quantity| self.plan.count(**quantity, block) > 0;
        for quantity in self.plan.quantities.iter().filter(asked) {
            self.bar.set_message(format!("block {}/{}: {}", block + 1, self.plan.blocks, quantity.name()));
            self.bar.set_position(*before);
            all.extend(self.quantity(*quantity, block).await?);
            *before += self.plan.expected_ms(*quantity, block, COMMIT_GUESS_MS);
        }
        Ok(all)
    }

    async fn quantity(&self, quantity: Quantity, block: u32) -> Result<Vec<Series>, Failure> {
        let count = self.plan.count(quantity, block);
        let step = self.plan.expected_ms(quantity, block, COMMIT_GUESS_MS) / u64::from(count.max(1));
        let take = Take::new(self.begun, block, self.bar.clone(), step);
        let connection = &self.connection;
        Ok(match quantity {
            Quantity::Rtt => rtt::matrix(connection, &take, count, self.plan.probe_every_ms()).await?,
            Quantity::Commit => vec![writes::commit(connection, &take, count).await?],
            Quantity::Read => reads::both(connection, &take, count).await?,
            Quantity::Throughput => vec![writes::throughput(connection, &take, count, OUTSTANDING).await?],
            Quantity::Transfer => vec![leaders::transfers(connection, &take, count).await?],
            Quantity::Election => match &self.lab {
                Some(lab) => leaders::elections(connection, &lab.control, &take, count).await?,
                None => Vec::new(),
            },
        })
    }

    /// What a record that ended early says of itself.
    fn kept(&self, record: &Record, failure: &Failure) -> String {
        let last =
            record.series.iter().flat_map(|series| &series.samples).map(|sample| sample.block + 1).max();
        let whole = format!("{} of {} blocks are whole", last.unwrap_or(0), self.plan.blocks);
        match failure.kind() {
            Kind::Interrupted => format!("interrupted: {whole}"),
            _ => format!("{}: {whole}", failure.message()),
        }
    }
}
