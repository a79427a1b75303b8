//! `farquorum worker`: list the workers of a cluster, or run one.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use farquorum_proto::v1;
use farquorum_tls::{AuthorityKind, Layout};
use farquorum_worker::WorkerOptions;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::cluster::Connection;
use super::config::loaded;
use crate::args::Global;
use crate::failure::Failure;
use crate::notify::Supervisor;
use crate::output::{self, Show, bytes, rows};
use crate::{logging, runtime};

/// `farquorum worker`
#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the registered workers
    List,
    /// Run a worker
    Run(RunArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Name of the worker in the configuration
    #[arg(long)]
    name: String,
    /// Folder with its certificate and key
    #[arg(long, default_value = "certs")]
    certs: PathBuf,
    /// File with the object store's access key and secret key
    #[arg(long)]
    credentials: Option<PathBuf>,
    /// How log lines look
    #[arg(long, value_enum, default_value_t)]
    log_format: logging::Format,
}

/// Runs a verb.
pub(crate) fn run(global: &Global, args: WorkerArgs) -> Result<ExitCode, Failure> {
    match args.verb {
        Verb::List => list(global),
        Verb::Run(args) => serve(global, args),
    }
}

fn serve(global: &Global, args: RunArgs) -> Result<ExitCode, Failure> {
    logging::start(args.log_format);
    let config = loaded(global)?.config;
    config.require_worker(&args.name).map_err(|unknown| Failure::usage(format!("--name: {unknown}")))?;
    let certs = Layout::new(&args.certs);
    let supervisor = Supervisor::of_process();
    let serving = CancellationToken::new();
    let options = WorkerOptions {
        ca: certs.authority_certificate(AuthorityKind::Peer),
        cert: certs.certificate(&args.name),
        key: certs.key(&args.name),
        name: args.name,
        storage_credentials: args.credentials,
        http_listen: None,
        serving: serving.clone(),
    };
    runtime::block_on_until(|stop| async move {
        supervisor.tell(serving, stop.clone());
        farquorum_worker::run(config, options, stop).await.map_err(Failure::failed)?;
        Ok(ExitCode::SUCCESS)
    })
}

#[derive(Serialize)]
struct Row {
    name: String,
    cloud: String,
    region: String,
    address: String,
    state: &'static str,
    capacity: u32,
    active: u32,
    last_seen_ms: u64,
    memory_bytes: u64,
    kinds: Vec<String>,
}

impl From<v1::Worker> for Row {
    fn from(worker: v1::Worker) -> Self {
        let state = match worker.state() {
            v1::WorkerState::Healthy => "healthy",
            v1::WorkerState::Suspect => "suspect",
            v1::WorkerState::Offline => "offline",
            v1::WorkerState::Unspecified => "unknown",
        };
        Self {
            state,
            name: worker.id,
            cloud: worker.cloud,
            region: worker.region,
            address: worker.address,
            capacity: worker.capacity,
            active: worker.active_tasks,
            last_seen_ms: worker.last_seen_ms,
            memory_bytes: worker.memory_bytes,
            kinds: worker.kinds,
        }
    }
}

#[derive(Serialize)]
struct Rows {
    workers: Vec<Row>,
}

impl Show for Rows {
    fn table(&self) -> String {
        let row = |worker: &Row| {
            [
                worker.name.clone(),
                worker.cloud.clone(),
                worker.region.clone(),
                worker.state.to_owned(),
                format!("{}/{}", worker.active, worker.capacity),
                bytes(worker.memory_bytes),
                worker.kinds.join(" "),
            ]
        };
        rows(["WORKER", "CLOUD", "REGION", "STATE", "TASKS", "MEMORY", "KINDS"], self.workers.iter().map(row))
    }
}

fn list(global: &Global) -> Result<ExitCode, Failure> {
    let list =
        runtime::block_on(async { Ok(Connection::open(global).await?.cluster.workers().list().await?) })?;
    output::print(global.output, &Rows { workers: list.workers.into_iter().map(Row::from).collect() })?;
    Ok(ExitCode::SUCCESS)
}
