//! `farquorum doctor`: looks for what goes wrong most often on a host, and says what to do. On a laptop, a container, a
//! microVM or a VM of a cloud; it changes nothing and sends nothing but connections to the configuration's nodes.

mod certificates;
mod disk;
mod host;
mod lab;
mod network;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use farquorum_config::Config;

use self::report::{Check, Report, State};
use super::config::loaded;
use crate::args::Global;
use crate::failure::Failure;
use crate::{output, runtime};

/// `farquorum doctor`
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// This host's name in the configuration; without it, whether the local simulation can run here
    #[arg(long)]
    name: Option<String>,
    /// Folder for a node's log and snapshots: room, file system, time of an fsync
    #[arg(long, env = "FARQUORUM_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Folder with the certificate and key
    #[arg(long, default_value = "certs")]
    certs: PathBuf,
}

/// Looks at everything; exit code 1 when something will not work.
pub(crate) fn run(global: &Global, args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let config = loaded(global)?.config;
    if let Some(name) = &args.name {
        require_host(&config, name)?;
    }
    let report = Report { checks: look(&config, args)? };
    output::print(global.output, &report)?;
    Ok(if report.count(State::Failed) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn look(config: &Config, args: &DoctorArgs) -> Result<Vec<Check>, Failure> {
    let mut checks = Vec::new();
    host::look(config, &mut checks);
    let node = args.name.as_ref().is_some_and(|name| config.node(name).is_some());
    match &args.data_dir {
        Some(folder) => disk::look(config, folder, node, &mut checks),
        None if node => disk::not_named(&mut checks),
        None => {}
    }
    let Some(name) = &args.name else {
        // It forks: before there is a runtime with its threads.
        lab::look(&mut checks);
        return Ok(checks);
    };
    let tls = certificates::look(config, &args.certs, name, &mut checks);
    runtime::block_on(async {
        network::look(config, name, tls.as_ref(), &mut checks).await;
        Ok(checks)
    })
}

fn require_host(config: &Config, name: &str) -> Result<(), Failure> {
    if config.node(name).is_some() || config.worker(name).is_some() {
        return Ok(());
    }
    let nodes = config.nodes.iter().map(|node| node.name.as_str());
    let known: Vec<&str> = nodes.chain(config.workers.iter().map(|worker| worker.name.as_str())).collect();
    Err(Failure::usage(format!(
        "--name {name:?} is no host of the configuration; it has {}",
        known.join(", ")
    )))
}
