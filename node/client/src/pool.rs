//! The nodes that are known, each with a connection that is made when it is first needed. Nodes are only ever added, so a
//! place stays valid. Connections are made by tasks of their own: a caller who does not wait for one any longer loses
//! nothing, and may wait for several at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use farquorum_tls::{ClientTls, Connector};
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint, Error};

use crate::error::ClientError;
use crate::link::{Link, Seen};
use crate::wire::LeaderHint;

/// Nodes that a client remembers: well above any Raft group (at most 7), against answers that name ever new ones.
const NODES_MAX: usize = 32;
/// HTTP/2 windows: 1 MiB would cap a 250 ms link at 4 MiB/s.
const STREAM_WINDOW: u32 = 8 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
/// A connection that is silent for this long is probed; dead after another such time.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Where a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeAddress {
    /// Its name, which its certificate must carry; none: the certificate must carry the address's host.
    pub name: Option<String>,
    /// host:port of its public gRPC services, as seen from here.
    pub address: String,
}

impl NodeAddress {
    /// Its name for messages.
    pub(crate) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.address)
    }
}

struct Node {
    at: NodeAddress,
    endpoint: Endpoint,
    connector: Connector,
    link: Link,
}

pub(crate) struct Pool {
    tls: ClientTls,
    connect_timeout: Duration,
    nodes: Arc<Mutex<Vec<Node>>>,
    /// Changes with each attempt to connect that ended.
    ended: watch::Sender<()>,
}

impl Pool {
    pub(crate) fn new(
        tls: ClientTls,
        nodes: &[NodeAddress],
        connect_timeout: Duration,
    ) -> Result<Self, ClientError> {
        if nodes.is_empty() || nodes.len() > NODES_MAX {
            let found = nodes.len();
            return Err(ClientError::Settings(format!(
                "{found} nodes to connect to; 1 to {NODES_MAX} are allowed"
            )));
        }
        let pool = Self { tls, connect_timeout, nodes: Arc::default(), ended: watch::Sender::default() };
        let made = nodes.iter().map(|at| pool.make(at.clone())).collect::<Result<Vec<_>, _>>()?;
        *pool.lock() = made;
        Ok(pool)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// What a node is called in messages.
    pub(crate) fn label(&self, place: usize) -> String {
        self.lock().get(place).map_or_else(String::new, |node| node.at.label().to_owned())
    }

    /// Place of the node with this name.
    pub(crate) fn named(&self, name: &str) -> Option<usize> {
        self.lock().iter().position(|node| node.at.name.as_deref() == Some(name))
    }

    /// Connects to these nodes where that was not done yet, and waits for the first that is connected or failed; none
    /// when `patience` is over. Who is not settled then goes on connecting. Dropping this future is safe.
    pub(crate) async fn settled(
        &self,
        places: &[usize],
        patience: Duration,
    ) -> Option<(usize, Result<Channel, Error>)> {
        let mut ended = self.ended.subscribe();
        let settled = async {
            loop {
                ended.mark_unchanged();
                let found = places.iter().find_map(|place| Some((*place, self.look(*place)?)));
                if found.is_some() || ended.changed().await.is_err() {
                    return found;
                }
            }
        };
        timeout(patience, settled).await.unwrap_or(None)
    }

    /// The connection to a node, or why there is none; none while it is being made, which this begins when nobody has.
    fn look(&self, place: usize) -> Option<Result<Channel, Error>> {
        let mut nodes = self.lock();
        let node = nodes.get_mut(place)?;
        match node.link.look() {
            Seen::Settled(result) => return Some(result),
            Seen::Pending => return None,
            Seen::Connect => {}
        }
        let (endpoint, connector) = (node.endpoint.clone(), node.connector.clone());
        let (nodes, ended) = (Arc::clone(&self.nodes), self.ended.clone());
        // Ends within `connect_timeout`.
        tokio::spawn(async move {
            let result = endpoint.connect_with_connector(connector).await;
            if let Some(node) = lock(&nodes).get_mut(place) {
                node.link.ended(result);
            }
            ended.send_replace(());
        });
        None
    }

    /// Place of the leader: by name, so that our own address for it counts; else by address, as a new node.
    pub(crate) fn learn(&self, leader: &LeaderHint) -> Option<usize> {
        let mut nodes = self.lock();
        let known = nodes.iter().position(|node| node.at.name.as_deref() == Some(leader.name.as_str()));
        if known.is_some() || nodes.len() >= NODES_MAX {
            return known;
        }
        let at = NodeAddress { name: Some(leader.name.clone()), address: leader.address.clone() };
        match self.make(at) {
            Ok(node) => nodes.push(node),
            Err(error) => {
                tracing::warn!(leader = leader.name, %error, "cannot use the address of the leader");
                return None;
            }
        }
        Some(nodes.len() - 1)
    }

    fn make(&self, at: NodeAddress) -> Result<Node, ClientError> {
        let connector = match &at.name {
            Some(name) => self.tls.to_node(name),
            None => self.tls.to_host(),
        };
        let endpoint = Endpoint::from_shared(format!("http://{}", at.address)).map_err(|_| {
            ClientError::Settings(format!(
                "{:?} is not the address of a node; host:port is needed",
                at.address
            ))
        })?;
        let endpoint = endpoint
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(true);
        let connector = connector.timeout(self.connect_timeout).confirmed();
        Ok(Node { at, endpoint, connector, link: Link::Idle })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Node>> {
        lock(&self.nodes)
    }
}

fn lock(nodes: &Mutex<Vec<Node>>) -> MutexGuard<'_, Vec<Node>> {
    nodes.lock().unwrap_or_else(PoisonError::into_inner)
}
