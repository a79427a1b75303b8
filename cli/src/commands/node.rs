//! `farquorum node run`: a control-plane node.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use farquorum_node::{NodeOptions, Release};
use tokio_util::sync::CancellationToken;

use super::config::loaded;
use crate::args::Global;
use crate::failure::Failure;
use crate::notify::Supervisor;
use crate::{logging, runtime};

/// `farquorum node`
#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a node until it is asked to stop (SIGTERM): it hands leadership over first
    Run(RunArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Name of the node in the configuration
    #[arg(long)]
    name: String,
    /// Folder for its log and snapshots
    #[arg(long, env = "FARQUORUM_DATA_DIR")]
    data_dir: PathBuf,
    /// Folder with its certificate and key, and the authorities' certificates
    #[arg(long, default_value = "certs")]
    certs: PathBuf,
    /// Address to listen on when it is not the node's own (a container, a translated address)
    #[arg(long)]
    listen: Option<String>,
    /// How log lines look
    #[arg(long, value_enum, default_value_t)]
    log_format: logging::Format,
}

/// Runs a node.
pub(crate) fn run(global: &Global, args: NodeArgs) -> Result<ExitCode, Failure> {
    let Verb::Run(args) = args.verb;
    logging::start(args.log_format);
    let config = loaded(global)?.config;
    config.require_node(&args.name).map_err(|unknown| Failure::usage(format!("--name: {unknown}")))?;
    let supervisor = Supervisor::of_process();
    let serving = CancellationToken::new();
    let options = NodeOptions {
        name: args.name,
        data_dir: Some(args.data_dir),
        certs_dir: args.certs,
        listen: args.listen,
        serving: serving.clone(),
        release: Release::THIS,
    };
    leave(runtime::block_on_until(|stop| async move {
        supervisor.tell(serving, stop.clone());
        farquorum_node::run(config, options, stop.cancelled_owned()).await.map_err(Failure::failed)
    }))
}

/// Ends the process without what C++ does at an exit. Threads of ours and of RocksDB may still be at work, one perhaps waits
/// for a disk, and would find RocksDB's statics destroyed: "pthread lock: Invalid argument", and an abort in place of the
/// exit code. A node holds nothing that only an exit would write.
fn leave(ended: Result<(), Failure>) -> ! {
    let code = ended.err().map_or(0, |failure| {
        failure.print();
        failure.kind().code()
    });
    // SAFETY: the call takes a number, and does not come back.
    unsafe { libc::_exit(code.into()) }
}
