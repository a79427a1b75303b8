//! One node from start to stop. Nothing is written and nobody is called before every port is bound and the data
//! folder was looked at.

mod build;
mod running;

use std::path::PathBuf;
use std::sync::Arc;

use farquorum_config::Config;
use farquorum_tls::TlsError;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::ports::PortError;
use crate::raft::{self, RaftFailure, StartError};
use crate::release::Release;
use crate::storage::{self, StorageError};

use build::Parts;
use running::Listeners;

/// What a node needs beside the configuration.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Its name in the configuration.
    pub name: String,
    /// RocksDB and state go below this folder; none only with `storage.log = "memory"`.
    pub data_dir: Option<PathBuf>,
    /// Folder of certificates, see `farquorum_tls::Layout`.
    pub certs_dir: PathBuf,
    /// Address to listen on with all ports, when it is not the node's own address in the configuration (a container
    /// or a translated address: `0.0.0.0`).
    pub listen: Option<String>,
    /// The node cancels it when it serves: ports open, log read, Raft running. It waits for no leader, see docs/nix.md.
    pub serving: CancellationToken,
    /// What it is to members of other versions: [`Release::THIS`].
    pub release: Release,
}

/// Why a node did not start, or ended.
#[derive(Debug, Error)]
pub enum NodeError {
    /// The name is not in the configuration.
    #[error("node {name:?} is not in the configuration; nodes are {known}")]
    Unknown {
        /// The name.
        name: String,
        /// The names that are.
        known: String,
    },
    /// A port cannot be had.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The data folder or the log cannot be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Raft cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Raft cannot go on.
    #[error("the node cannot go on: {0}")]
    Failed(#[from] RaftFailure),
    /// A server ended.
    #[error("the {what} server ended: {source}")]
    Server {
        /// Which.
        what: &'static str,
        /// Why.
        source: tonic::transport::Error,
    },
    /// A server ended without being asked.
    #[error("the {what} server ended without being asked")]
    Ended {
        /// Which.
        what: &'static str,
    },
    /// A server fell over.
    #[error("a server fell over: {source}")]
    Panicked {
        /// How.
        source: tokio::task::JoinError,
    },
    /// Metrics do not fit together: our own mistake.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

/// Runs the node until `shutdown`, then stops it gracefully: not ready, leadership handed over, requests drained.
///
/// # Errors
/// [`NodeError`]; before the first port is open when it is the configuration's, the folder's or the certificates'
/// fault.
pub async fn run(
    config: Config,
    options: NodeOptions,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), NodeError> {
    let parts = Parts::new(config, &options)?;
    let listeners = Listeners::bind(&parts.me, options.listen.as_deref(), &parts.config.detours).await?;
    let (store, store_id) = storage::open_store(&parts.config, parts.me.id, options.data_dir.as_deref())?;
    let (handle, seed) = raft::seed();
    let ids = parts.identities(store_id);
    let transport = parts.start_transport(ids.clone(), handle.clone());
    let raft = parts.start_raft(seed, store, Arc::clone(&transport))?;
    let running = parts.serve(listeners, &handle, ids, &transport);
    options.serving.cancel();
    running.until(shutdown, raft, &transport).await
}
