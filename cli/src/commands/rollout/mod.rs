//! `farquorum rollout`: updates the hosts of a cluster one after another, while it serves. The command that updates a
//! host is a setting; this decides when it runs, looks whether it worked, and undoes it when it did not.
//!
//! `machine` decides, from what `look` sees; `order` and `fit` are its rules; `apply` does what it says, under the cluster's
//! `lock`.

mod apply;
mod command;
mod fit;
mod lock;
mod look;
mod machine;
mod order;
mod plan;
mod progress;
mod report;
mod snapshot;
mod target;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use farquorum_config::Config;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use self::apply::Rollout;
use self::lock::Lock;
use self::machine::Rules;
use self::order::Kind;
use self::plan::{Plan, refusal};
use self::snapshot::Snapshot;
use self::target::{Target, targets};
use super::cluster::Connection;
use super::config::loaded;
use crate::args::{Global, seconds};
use crate::failure::Failure;
use crate::{output, runtime};

/// How long a cluster that is not fit is looked at before the answer is no: an election takes as long.
const FIT_TIME_MAX: Duration = Duration::from_secs(3);

/// Between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long a host must have been well without a break.
const STEADY: Duration = Duration::from_secs(2);

/// `farquorum rollout`
#[derive(Debug, Args)]
pub(crate) struct RolloutArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What would be run where, in which order and why; refused when the cluster is not fit for it now
    Plan(Options),
    /// Update one host after another, the leader last; stop and roll back when one is not well in time
    Apply(Options),
}

#[derive(Debug, Args)]
struct Options {
    /// Nodes and workers to update; without them, every control-plane node
    hosts: Vec<String>,
    /// Every worker too, after the nodes
    #[arg(long)]
    workers: bool,
    /// Command that updates one host, in place of rollout.update; {name}, {address} and {cloud} stand for the host's own. No
    /// shell runs it, but it is split into arguments as a shell would
    #[arg(long, value_name = "COMMAND")]
    update: Option<String>,
    /// Command that brings back what one host ran before, in place of rollout.rollback
    #[arg(long, value_name = "COMMAND", conflicts_with = "no_rollback")]
    rollback: Option<String>,
    /// Leave a host that fails, and those before it, as they are
    #[arg(long)]
    no_rollback: bool,
    /// How long a host may take to serve and to be caught up, in place of rollout.wait_s
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    wait: Option<f64>,
    /// Go on where one voter of one, or of two, is away meanwhile: nothing is served then
    #[arg(long)]
    allow_unavailable: bool,
}

/// Runs a verb.
pub(crate) fn run(global: &Global, args: &RolloutArgs) -> Result<ExitCode, Failure> {
    let config = loaded(global)?.config;
    match &args.verb {
        Verb::Plan(options) => {
            let plan = runtime::block_on(async {
                let (connection, targets, seen) = begin(global, &config, options).await?;
                Ok(Plan::of(&connection.context.cluster, &seen, &targets))
            })?;
            output::print(global.output, &plan)?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::Apply(options) => runtime::block_on_until(|stop| apply(global, &config, options, stop)),
    }
}

async fn apply(
    global: &Global,
    config: &Config,
    options: &Options,
    stop: CancellationToken,
) -> Result<ExitCode, Failure> {
    let begun = tokio::select! {
        begun = begin(global, config, options) => begun,
        () = stop.cancelled() => return Err(Failure::new(crate::failure::Kind::Interrupted, "")),
    };
    let (connection, targets, _) = begun?;
    let lock = Lock::take(&connection).await?;
    let rules = Rules {
        wait: options.wait.map_or(config.rollout.wait, Duration::from_secs_f64),
        steady: STEADY,
        unavailable_ok: options.allow_unavailable,
        goes_back: targets.iter().all(|target| target.rollback.is_some()),
    };
    let rollout = Rollout {
        connection: &connection,
        targets: &targets,
        rules,
        command_time_max: config.rollout.command_timeout,
        stop,
        kill: CancellationToken::new(),
    };
    let ended = rollout.run(global.output).await;
    lock.give_back().await;
    ended
}

/// The cluster, the hosts and their commands, and a look at a cluster that is fit; else the refusal.
async fn begin(
    global: &Global,
    config: &Config,
    options: &Options,
) -> Result<(Connection, Vec<Target>, Snapshot), Failure> {
    let connection = Connection::open(global).await?;
    let targets = targets(&connection, config, options).await?;
    let workers = targets.iter().any(|target| target.kind == Kind::Worker);
    let until = Instant::now() + FIT_TIME_MAX;
    let mut mark = None;
    loop {
        let seen = look::look(&connection, workers).await;
        mark = mark.or_else(|| Some(seen.leader()?.1.committed));
        let problems = fit::problems(&seen, mark, options.allow_unavailable);
        if problems.is_empty() {
            return Ok((connection, targets, seen));
        }
        if Instant::now() >= until || problems.iter().any(|problem| problem.lasting) {
            return Err(refusal(&problems));
        }
        sleep(LOOK_EVERY).await;
    }
}
