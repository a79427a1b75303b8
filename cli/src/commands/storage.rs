//! `farquorum storage check`: whether the object store does what jobs rely on (STO-2), from here and from every worker.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use farquorum_storage::check::{CheckReport, check};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::cluster::Connection;
use super::storage_workers::check_from;
use crate::args::{Global, seconds};
use crate::failure::{Failure, Kind};
use crate::output::{self, Show};
use crate::runtime;

/// `farquorum storage`
#[derive(Debug, Args)]
pub(crate) struct StorageArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write 1 MB, read it back, compare; race conditional creates. From this machine and from every worker
    ///
    /// Exit code 1 when the store does not keep its promises, or when a registered worker could not say whether it does:
    /// it failed, is offline, or did not answer in time.
    Check(CheckArgs),
    /// List objects: all below a prefix, or the one of that name
    List {
        /// s3://bucket/prefix; without it, the cluster's bucket
        prefix: Option<String>,
    },
    /// Write an object to standard output
    Get {
        /// s3://bucket/key
        url: String,
    },
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Only from this machine
    #[arg(long)]
    local: bool,
    /// Longest wait for the workers' answers; what has not run by then is cancelled
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0, value_parser = seconds, conflicts_with = "local")]
    wait: f64,
}

/// What came of the check at one place.
pub(super) enum Outcome {
    /// The check ran; what it found may be bad.
    Checked(CheckReport),
    /// The check ended without a report: why.
    Failed(String),
    /// A worker that the cluster has not heard of for a while; it was not asked.
    Offline,
    /// A worker that was asked and did not answer: what it did instead.
    NoAnswer(String),
}

/// The same as it is printed.
#[derive(Serialize)]
struct Check {
    /// `this machine` or the name of a worker.
    from: String,
    /// Label of the worker's cloud; empty for this machine.
    cloud: String,
    /// `checked`, `failed`, `offline` or `no answer`.
    state: &'static str,
    /// Whether jobs may use the store as it is seen from there.
    ok: bool,
    /// Why there is no report; empty when there is one.
    error: String,
    report: Option<CheckReport>,
}

impl Check {
    fn new(from: &str, cloud: &str, outcome: Outcome) -> Self {
        let (state, error, report) = match outcome {
            Outcome::Checked(report) => ("checked", String::new(), Some(report)),
            Outcome::Failed(why) => ("failed", why, None),
            Outcome::Offline => {
                ("offline", "offline: the cluster has not heard of it for a while".to_owned(), None)
            }
            Outcome::NoAnswer(why) => ("no answer", why, None),
        };
        let ok = report.as_ref().is_some_and(CheckReport::is_ok);
        Self { from: from.to_owned(), cloud: cloud.to_owned(), state, ok, error, report }
    }

    fn block(&self) -> String {
        let cloud = if self.cloud.is_empty() { String::new() } else { format!(" ({})", self.cloud) };
        let text = match &self.report {
            Some(report) => report.to_string(),
            None => format!("not checked         {}", self.error),
        };
        format!("from {}{cloud}\n{text}", self.from)
    }
}

#[derive(Serialize)]
struct Checks {
    checks: Vec<Check>,
}

impl Show for Checks {
    fn table(&self) -> String {
        self.checks.iter().map(Check::block).collect::<Vec<_>>().join("\n\n")
    }
}

/// Runs a verb.
pub(crate) fn run(global: &Global, args: &StorageArgs) -> Result<ExitCode, Failure> {
    match &args.verb {
        Verb::Check(args) => run_check(global, args),
        Verb::List { prefix } => super::storage_list::run(global, prefix.as_deref()),
        Verb::Get { url } => super::storage_get::run(global, url),
    }
}

/// Exit code 1 unless all places found the store to be good.
fn run_check(global: &Global, args: &CheckArgs) -> Result<ExitCode, Failure> {
    let checks = Checks { checks: runtime::block_on_until(|stop| checks(global, args, stop))? };
    output::print(global.output, &checks)?;
    verdict(&checks.checks)?;
    Ok(ExitCode::SUCCESS)
}

async fn checks(global: &Global, args: &CheckArgs, stop: CancellationToken) -> Result<Vec<Check>, Failure> {
    let interrupted = || Failure::new(Kind::Interrupted, "");
    let connection = Connection::open(global).await?;
    let workers = if args.local {
        Vec::new()
    } else {
        let api = connection.cluster.workers();
        stop.run_until_cancelled(api.list()).await.ok_or_else(interrupted)??.workers
    };
    let here = stop.run_until_cancelled(check_here(&connection)).await.ok_or_else(interrupted)??;
    let wait = Duration::from_secs_f64(args.wait);
    let there = workers.iter().map(|worker| check_from(&connection, worker, wait, &stop));
    let there = futures::future::join_all(there).await;
    if stop.is_cancelled() {
        return Err(interrupted());
    }
    let there =
        workers.iter().zip(there).map(|(worker, outcome)| Check::new(&worker.id, &worker.cloud, outcome));
    Ok([Check::new("this machine", "", here)].into_iter().chain(there).collect())
}

async fn check_here(connection: &Connection) -> Result<Outcome, Failure> {
    let store = connection.store()?;
    let report = check(&store, store.bucket_url(), "command-line").await;
    Ok(report.map_or_else(|error| Outcome::Failed(error.to_string()), Outcome::Checked))
}

/// A store that lies is worse than a place that could not look, so it is said apart.
fn verdict(checks: &[Check]) -> Result<(), Failure> {
    let named = |bad: &dyn Fn(&&Check) -> bool| {
        let named = checks.iter().filter(bad).map(|check| format!("{} ({})", check.from, check.state));
        named.collect::<Vec<_>>().join(", ")
    };
    let lied_to = named(&|check| check.report.is_some() && !check.ok);
    if !lied_to.is_empty() {
        let message = format!("the object store does not do what jobs rely on (above): {lied_to}");
        return Err(Failure::failed(message));
    }
    let unknown = named(&|check| !check.ok);
    if !unknown.is_empty() {
        let message = format!("whether the object store does what jobs rely on is not known from {unknown}");
        return Err(Failure::failed(message).hint("farquorum worker list"));
    }
    Ok(())
}
