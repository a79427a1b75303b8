//! A worker: session, executor, task kinds.
//!
//! `run` is the whole process. Inside: `session` talks with the cluster, `executor` runs attempts, `tasks` holds the
//! kinds. `split` and `upload` prepare a job's input for the command line. Execution is at least once, the commit of an
//! output exactly once: what an attempt writes lies below its own prefix, and only `publish` makes it visible.

mod clock;
mod control;
mod executor;
mod http;
mod lease;
mod local;
mod metrics;
mod session;
#[cfg(test)]
mod session_tests;
mod slot;
mod split;
pub mod tasks;
mod upload;
mod usage;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use farquorum_client::{ClientError, Cluster, NodeAddress, Settings, Timing};
use farquorum_config::{Config, NoDetour};
use farquorum_storage::{StorageSettings, Store, StoreError};
use farquorum_tls::{AuthorityFiles, ClientFiles, ClientTls};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use executor::RESULT_BYTES_MAX;
pub use local::Skipped;
pub use split::{InputError, SPLIT_BYTES_DEFAULT, plan_splits, resolve};
pub use upload::{Upload, UploadProgress, upload};

use crate::clock::BootClock;
use crate::lease::Leases;
use crate::metrics::Metrics;
use crate::session::{Identity, Session};
use crate::tasks::Registry;

/// How often the certificate files are looked at for a new pair.
const CERTIFICATES_WATCH: Duration = Duration::from_secs(10);
/// Pause after a store that did not answer; each try has retries of its own.
const BUCKET_PAUSE: Duration = Duration::from_secs(2);

/// What one worker needs besides the configuration.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// Name of the worker in the configuration; also in its certificate.
    pub name: String,
    /// Certificate of the peer authority, which signs the nodes.
    pub ca: PathBuf,
    /// Certificate of this worker (role `worker`).
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// File with the keys of the object store; none: unsigned requests.
    pub storage_credentials: Option<PathBuf>,
    /// Address of the HTTP server; none: all addresses, port of the configuration.
    pub http_listen: Option<SocketAddr>,
    /// The worker cancels it when it serves: its certificates were read and its port is open. It waits for no cluster.
    pub serving: CancellationToken,
}

/// Why a worker does not start, or stops.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The name is not in the configuration.
    #[error("there is no worker {name:?} in the configuration; it has {known}")]
    UnknownWorker {
        /// As given.
        name: String,
        /// Those that are there.
        known: String,
    },
    /// The cluster cannot be called.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The certificates.
    #[error(transparent)]
    Tls(#[from] farquorum_tls::TlsError),
    /// The object store's settings.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The configuration has detours, and none for an address of this worker's.
    #[error(transparent)]
    Detour(#[from] NoDetour),
    /// The HTTP port.
    #[error(
        "cannot listen on {address} (HTTP of the worker): {source}; is the port in use? `ss -ltnp` tells by whom"
    )]
    Listen {
        /// Where.
        address: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The metrics.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Runs the worker until `shutdown`; then stops its attempts and deregisters.
///
/// # Errors
/// When it cannot start. A cluster that does not answer is no reason: it is tried for ever.
pub async fn run(
    config: Config,
    options: WorkerOptions,
    shutdown: CancellationToken,
) -> Result<(), WorkerError> {
    let worker = config.worker(&options.name).ok_or_else(|| unknown(&config, &options.name))?;
    let store = Store::open(&StorageSettings::from_config(&config, options.storage_credentials.clone())?)?;
    let registry = Registry::of_host();
    // Whoever may submit tasks names URLs. Where they can run programs they reach this host's files anyway; elsewhere not.
    let store = if registry.get("command").is_ok() { store } else { store.without_files() };
    let tls = client_tls(&config, &options)?;
    let cluster = cluster(&config, worker, tls.clone())?;
    let metrics = Metrics::new()?;
    let (registration, registration_seen) = watch::channel(None);

    let address = http_address(&config, worker, &options)?;
    let listener = TcpListener::bind(&address)
        .await
        .map_err(|source| WorkerError::Listen { address: address.clone(), source })?;
    let session = Arc::new(Session {
        control: cluster,
        clock: BootClock,
        identity: Identity {
            worker_id: worker.name.clone(),
            address: format!("{}:{}", worker.address, worker.http_port),
            cloud: worker.cloud.clone(),
            region: config.clouds.get(&worker.cloud).map(|cloud| cloud.region.clone()).unwrap_or_default(),
            capacity: worker.capacity,
        },
        registry,
        store: store.clone(),
        metrics: metrics.clone(),
        timeout_default: config.tasks.timeout,
        shutdown: shutdown.clone(),
        registration,
        leases: Mutex::new(Leases::default()),
    });
    let certificates = tls.watch(CERTIFICATES_WATCH);
    let bucket = tokio::spawn(ensure_bucket(store));
    options.serving.cancel();
    let http = http::serve(listener, worker.name.clone(), metrics, registration_seen, shutdown.clone());
    // Whichever ends first ends the other: without HTTP a worker looks dead.
    let stop = shutdown.drop_guard();
    let http = async {
        http.await;
        drop(stop);
    };
    tokio::join!(http, session.run());
    certificates.abort();
    bucket.abort();
    Ok(())
}

/// Makes the bucket when the store has none, once the store answers. A store that refuses is left as it is: its bucket is
/// then somebody else's to make, and a task that needs it says so.
async fn ensure_bucket(store: Store) {
    loop {
        match store.ensure_bucket().await {
            Ok(true) => return tracing::info!(bucket = store.bucket_url(), "made the bucket"),
            Ok(false) => return,
            Err(error) if error.is_retryable() => tokio::time::sleep(BUCKET_PAUSE).await,
            Err(error) => return tracing::warn!(%error, "the bucket may be missing"),
        }
    }
}

fn unknown(config: &Config, name: &str) -> WorkerError {
    let known: Vec<_> = config.workers.iter().map(|worker| worker.name.as_str()).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    WorkerError::UnknownWorker { name: name.to_owned(), known }
}

fn client_tls(config: &Config, options: &WorkerOptions) -> Result<ClientTls, WorkerError> {
    let files = ClientFiles {
        certificate: options.cert.clone(),
        key: options.key.clone(),
        peer_ca: AuthorityFiles::beside(&options.ca),
    };
    Ok(ClientTls::new(&config.cluster.name, files)?.by(config.detours.clone()))
}

/// Where the HTTP server listens: where it was told, where the worker's detour leads, or else on all addresses.
fn http_address(
    config: &Config,
    worker: &farquorum_config::Worker,
    options: &WorkerOptions,
) -> Result<String, NoDetour> {
    let known = format!("{}:{}", worker.address, worker.http_port);
    match options.http_listen {
        Some(address) => Ok(address.to_string()),
        None if config.detours.is_empty() => Ok(format!("0.0.0.0:{}", worker.http_port)),
        None => config.detours.of(&known).map(str::to_owned),
    }
}

/// Calls the nodes that the worker is told to ask first (ORCHESTRATOR_ADDR), or else all of the file.
fn cluster(
    config: &Config,
    worker: &farquorum_config::Worker,
    tls: ClientTls,
) -> Result<Cluster, ClientError> {
    let named = |node: &farquorum_config::Node| NodeAddress {
        name: Some(node.name.clone()),
        address: node.grpc_address(),
    };
    let mut nodes: Vec<_> = worker
        .orchestrators
        .iter()
        .map(|address| {
            let known = config.nodes.iter().find(|node| node.grpc_address() == *address);
            known.map(named).unwrap_or_else(|| NodeAddress { name: None, address: address.clone() })
        })
        .collect();
    if nodes.is_empty() {
        nodes = config.nodes.iter().map(named).collect();
    }
    Cluster::new(&Settings { nodes, tls, timing: Timing::default() })
}
