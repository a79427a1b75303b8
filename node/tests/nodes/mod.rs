//! Real nodes in this process: loopback ports, RocksDB in temporary folders, mutual TLS. Dropping them stops nothing
//! gracefully and needs not to: they end with the runtime of the test.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a helper of tests may fail")]

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use farquorum_client::wire::{self, Reason};
use farquorum_config::{Config, Sources};
use farquorum_node::{NodeError, NodeOptions};
use farquorum_proto::v1;
use farquorum_proto::v1::cluster_service_client::ClusterServiceClient;
use farquorum_tls::{ClientFiles, ClientTls, IssueRequest, Role, init, issue};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

/// Longest wait for a condition: far beyond what a busy machine needs, so that only a fault runs into it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Nodes of one cluster, by their place in the configuration.
pub struct Nodes {
    pub config: Config,
    pub dir: TempDir,
    running: Vec<Option<Running>>,
}

struct Running {
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), NodeError>>,
}

impl Nodes {
    /// The first `count` nodes of the built-in topology, on free loopback ports, started.
    pub async fn start(count: usize) -> Self {
        let mut nodes = Self::prepare(count);
        for place in 0..count {
            nodes.start_node(place);
        }
        nodes
    }

    /// As [`Nodes::start`], without starting them.
    pub fn prepare(count: usize) -> Self {
        let mut config = farquorum_config::load(&Sources::default()).unwrap().config;
        config.nodes.truncate(count);
        config.links.iter_mut().for_each(|link| link.shape.delay_ms = 0.0);
        // A disk that is busy for longer than an election timeout costs the leader its place, as it should.
        config.raft.heartbeat = Duration::from_millis(100);
        config.raft.election_timeout = Duration::from_secs(1);
        config.limits.free_bytes_min = 0;
        let held: Vec<TcpListener> =
            (0..3 * count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let mut ports = held.iter().map(|listener| listener.local_addr().unwrap().port());
        for node in &mut config.nodes {
            node.address = "127.0.0.1".into();
            node.raft_port = ports.next().unwrap();
            node.grpc_port = ports.next().unwrap();
            node.http_port = ports.next().unwrap();
        }
        let dir = TempDir::new().unwrap();
        let certs = dir.path().join("certs");
        init(&certs, &config.cluster.name).unwrap();
        for node in &config.nodes {
            holder(&certs, Role::Node, &node.name);
        }
        for (role, name) in [
            (Role::Worker, "worker-1"),
            (Role::Worker, "worker-2"),
            (Role::Client, "client-1"),
            (Role::Admin, "admin-1"),
        ] {
            holder(&certs, role, name);
        }
        Self { config, dir, running: (0..count).map(|_| None).collect() }
    }

    pub fn options(&self, place: usize) -> NodeOptions {
        let name = self.config.nodes[place].name.clone();
        let data_dir = Some(self.dir.path().join("data").join(&name));
        NodeOptions {
            name,
            data_dir,
            certs_dir: self.dir.path().join("certs"),
            listen: None,
            serving: tokio_util::sync::CancellationToken::new(),
            release: farquorum_node::Release::THIS,
        }
    }

    pub fn start_node(&mut self, place: usize) {
        let (stop, stopped) = oneshot::channel::<()>();
        let run = farquorum_node::run(self.config.clone(), self.options(place), async {
            // Dropped without a word: no graceful stop, which would wait for threads of a runtime that ends.
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        });
        self.running[place] = Some(Running { stop, ended: tokio::spawn(run) });
    }

    /// Stops a node gracefully.
    pub async fn stop_node(&mut self, place: usize) {
        let Running { stop, ended } = self.running[place].take().unwrap();
        let _ = stop.send(());
        tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap().unwrap();
    }

    /// Place of the node that leads, once all running nodes agree on it.
    pub async fn leader(&self) -> usize {
        until("a leader that all know", async || {
            let mut leaders = Vec::new();
            for place in self.places() {
                leaders.push(self.status(place).await.ok()?.leader_id);
            }
            let first = *leaders.first()?;
            let agreed = first != 0 && leaders.iter().all(|leader| *leader == first);
            agreed.then(|| self.config.nodes.iter().position(|node| node.id.0 == first))?
        })
        .await
    }

    /// Place of a running node that does not lead.
    pub async fn follower(&self) -> usize {
        let leader = self.leader().await;
        self.places().find(|place| *place != leader).unwrap()
    }

    fn places(&self) -> impl Iterator<Item = usize> {
        (0..self.running.len()).filter(|place| self.running[*place].is_some())
    }

    pub async fn status(&self, place: usize) -> Result<v1::NodeStatus, Status> {
        let mut client = ClusterServiceClient::new(self.channel(place, "admin-1"));
        Ok(client.get_status(v1::GetStatusRequest {}).await?.into_inner().node.unwrap())
    }

    /// A channel to the public port with the certificate of `holder`.
    pub fn channel(&self, place: usize, holder: &str) -> Channel {
        let address = self.config.nodes[place].grpc_address();
        self.channel_to(&address, place, &self.dir.path().join("certs"), holder)
    }

    /// A channel to the peers' port.
    pub fn raft_channel(&self, place: usize, certs: &Path, holder: &str) -> Channel {
        self.channel_to(&self.config.nodes[place].raft_address(), place, certs, holder)
    }

    pub fn channel_to(&self, address: &str, place: usize, certs: &Path, holder: &str) -> Channel {
        let tls = ClientTls::new(&self.config.cluster.name, ClientFiles::in_dir(certs, holder)).unwrap();
        let connector = tls.to_node(&self.config.nodes[place].name);
        Endpoint::from_shared(format!("http://{address}")).unwrap().connect_with_connector_lazy(connector)
    }

    /// Status line and body of an HTTP request.
    pub async fn http(&self, place: usize, path: &str) -> (String, String) {
        let port = self.config.nodes[place].http_port;
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }
}

/// Issues a pair into a folder of certificates.
pub fn holder(certs: &Path, role: Role, name: &str) {
    let sans = ["127.0.0.1".to_owned()];
    issue(certs, &IssueRequest { role, name, sans: &sans, days: 1, force: false }).unwrap();
}

/// Waits until `condition` gives something.
pub async fn until<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let wait = async {
        loop {
            if let Some(value) = condition().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// The reason in a status that one of our nodes made.
pub fn reason(status: &Status) -> Option<Reason> {
    wire::error_info(status).map(|info| info.reason)
}
