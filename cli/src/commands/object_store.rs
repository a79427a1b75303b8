//! `farquorum object-store`: the simulation's S3 server, on a host of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use farquorum_storage::{S3Server, ServerOptions};
use tokio_util::sync::CancellationToken;

use crate::args::Global;
use crate::commands::config::loaded;
use crate::failure::Failure;
use crate::{logging, runtime};

/// `farquorum object-store`
#[derive(Debug, Args)]
pub(crate) struct ObjectStoreArgs {
    /// Folder for objects and credentials
    #[arg(long)]
    data_dir: PathBuf,
}

/// Serves until it is asked to stop.
pub(crate) fn run(global: &Global, args: &ObjectStoreArgs) -> Result<ExitCode, Failure> {
    logging::start(logging::Format::Text);
    let config = loaded(global)?.config;
    let storage = &config.storage;
    if storage.tls {
        let message = "storage.tls = true, and this server speaks plain HTTP: its clients would not reach it";
        return Err(Failure::usage(message).hint("--set storage.tls=false, for the clients too"));
    }
    let known = storage.host_port();
    let at = config.detours.of(&known).map_err(Failure::usage)?;
    let address: SocketAddr = at
        .parse()
        .map_err(|error| Failure::usage(format!("storage.address = {:?}: {error}", storage.address)))?;
    let server = S3Server::open(&ServerOptions {
        data_dir: args.data_dir.clone(),
        credentials: args.data_dir.join("credentials.toml"),
        bucket: storage.bucket.clone(),
        connections_max: usize::try_from(config.limits.connections_max).unwrap_or(usize::MAX),
    })
    .map_err(Failure::failed)?;
    runtime::block_on_until(|stop: CancellationToken| async move {
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .map_err(|error| Failure::failed(format!("cannot listen on {address}: {error}")))?;
        tracing::info!(%address, "object store ready");
        server.serve(listener, stop).await;
        Ok(ExitCode::SUCCESS)
    })
}
