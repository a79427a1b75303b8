//! The parts of a node: looked at and made, then started in the order of [`super::run`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use farquorum_config::{Config, LogBackend, Node};
use farquorum_driver::LogStore;
use farquorum_tls::{AcceptLimits, Acceptor, ClientFiles, ClientTls, Port, ServerFiles};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::running::{Listeners, Running};
use super::{NodeError, NodeOptions};
use crate::api::{self, Context, Prober};
use crate::clock::SystemClock;
use crate::http::{self, Http, Readiness};
use crate::manifest::{Chores, Waiting};
use crate::metrics::Metrics;
use crate::raft::{self, RaftHandle, RaftMetrics, RaftParts, RaftSeed, StartError};
use crate::release::Release;
use crate::storage::{self, StoreId};
use crate::transport::{Identities, Levels, Local, PeerServer, PeerTransport, StoreIds};

/// How often certificates are looked at for a change.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(5);

/// What a node is built from, once all of it has been looked at.
pub(super) struct Parts {
    pub(super) config: Arc<Config>,
    pub(super) me: Node,
    data_dir: Option<PathBuf>,
    peer_acceptor: Acceptor,
    public_acceptor: Acceptor,
    pub(super) client: ClientTls,
    raft_metrics: RaftMetrics,
    metrics: Metrics,
    started: Instant,
    release: Release,
}

impl Parts {
    pub(super) fn new(config: Config, options: &NodeOptions) -> Result<Self, NodeError> {
        let me = config.node(&options.name).cloned().ok_or_else(|| {
            let known: Vec<&str> = config.nodes.iter().map(|node| node.name.as_str()).collect();
            NodeError::Unknown { name: options.name.clone(), known: known.join(", ") }
        })?;
        let in_memory = config.storage.log == LogBackend::Memory;
        let data_dir = options.data_dir.clone().filter(|_| !in_memory);
        if let Some(dir) = &data_dir {
            storage::check_data_dir(dir, config.limits.free_bytes_min)?;
        }
        let connections = usize::try_from(config.limits.connections_max).unwrap_or(usize::MAX);
        let limits = AcceptLimits { connections, ..AcceptLimits::default() };
        let acceptor = |port| {
            let files = ServerFiles::in_dir(&options.certs_dir, &me.name);
            Acceptor::new(&config.cluster.name, files, port, limits)
        };
        let (peer_acceptor, public_acceptor) = (acceptor(Port::Peer)?, acceptor(Port::Public)?);
        let client = ClientTls::new(&config.cluster.name, ClientFiles::in_dir(&options.certs_dir, &me.name))?
            .by(config.detours.clone());
        let raft_metrics = RaftMetrics::new()?;
        let metrics = Metrics::new(&raft_metrics)?;
        let (config, started) = (Arc::new(config), Instant::now());
        Ok(Self {
            config,
            me,
            data_dir,
            peer_acceptor,
            public_acceptor,
            client,
            raft_metrics,
            metrics,
            started,
            release: options.release,
        })
    }

    pub(super) fn identities(&self, store: StoreId) -> Identities {
        let cluster = self.config.cluster.name.clone();
        let store = bytes::Bytes::copy_from_slice(&store.0);
        Identities {
            local: Arc::new(Local { cluster, id: self.me.id, store, level: self.release.level }),
            stores: Arc::new(StoreIds::default()),
            levels: Arc::new(Levels::default()),
        }
    }

    pub(super) fn start_transport(&self, ids: Identities, raft: RaftHandle) -> Arc<PeerTransport> {
        let rtt = self.metrics.rtt_probes();
        PeerTransport::start(&self.config, &self.me, ids, self.client.clone(), raft, rtt)
    }

    pub(super) fn start_raft(
        &self,
        seed: RaftSeed,
        store: Arc<dyn LogStore>,
        transport: Arc<PeerTransport>,
    ) -> Result<RaftParts, StartError> {
        let start = raft::Start {
            config: &self.config,
            me: self.me.id,
            store,
            transport,
            clock: Arc::new(SystemClock),
            metrics: self.raft_metrics.clone(),
            boot_nonce: rand::random(),
            release: self.release,
        };
        raft::start(seed, start)
    }

    /// Starts everything that others see.
    pub(super) fn serve(
        self,
        listeners: Listeners,
        handle: &RaftHandle,
        ids: Identities,
        transport: &Arc<PeerTransport>,
    ) -> Running {
        let waiting = Arc::new(Waiting::default());
        let (links, probe) = (Arc::clone(transport), Arc::clone(transport));
        let context = Arc::new(Context {
            config: Arc::clone(&self.config),
            me: self.me.clone(),
            raft: handle.clone(),
            waiting: Arc::clone(&waiting),
            links: Arc::new(move || links.links()),
            prober: Prober::new(move |to| probe.probe(to)),
            started: self.started,
            release: self.release,
        });
        let limits = &self.config.limits;
        let readiness = Arc::new(Readiness::new(self.data_dir, limits.free_bytes_min));
        let chores = Chores {
            raft: handle.clone(),
            waiting,
            tasks: self.config.tasks.clone(),
            clock: Arc::new(SystemClock),
            timeout: limits.request_timeout,
        };
        let http = Http {
            context: Arc::clone(&context),
            metrics: self.metrics.clone(),
            readiness: Arc::clone(&readiness),
        };
        let connections = usize::try_from(limits.connections_max).unwrap_or(usize::MAX);

        // These end with what they watch over.
        drop(self.peer_acceptor.watch(CERTIFICATES_EVERY));
        drop(self.public_acceptor.watch(CERTIFICATES_EVERY));
        drop(self.client.watch(CERTIFICATES_EVERY));
        let stop = CancellationToken::new();
        let mut servers = JoinSet::new();
        let peers = PeerServer::new(Arc::clone(&self.config), ids, handle.clone());
        let (config, metrics, token) = (Arc::clone(&self.config), self.metrics.clone(), stop.clone());
        servers.spawn(async move {
            let served =
                api::serve_peers(peers, &config, metrics, self.peer_acceptor, listeners.raft, token).await;
            ("Raft", served)
        });
        let token = stop.clone();
        servers.spawn(async move {
            (
                "gRPC",
                api::serve_public(context, self.metrics, self.public_acceptor, listeners.grpc, token).await,
            )
        });
        let token = stop.clone();
        servers.spawn(async move {
            http::serve(http, listeners.http, connections, token).await;
            ("HTTP", Ok(()))
        });
        let chores = tokio::spawn(chores.run(stop.clone()));
        let election_timeout = self.config.raft.election_timeout;
        Running { servers, chores, readiness, stop, raft: handle.clone(), election_timeout }
    }
}
