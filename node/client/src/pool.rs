//! The nodes that are known, each with a lazily made channel. Nodes are only ever added, so a place stays valid.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use farquorum_tls::ClientTls;
use tonic::transport::{Channel, Endpoint};

use crate::error::ClientError;
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

#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) at: NodeAddress,
    pub(crate) channel: Channel,
}

impl Node {
    /// Its name for messages.
    pub(crate) fn label(&self) -> &str {
        self.at.name.as_deref().unwrap_or(&self.at.address)
    }
}

pub(crate) struct Pool {
    tls: ClientTls,
    connect_timeout: Duration,
    nodes: Mutex<Vec<Node>>,
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
        let pool = Self { tls, connect_timeout, nodes: Mutex::default() };
        let made = nodes.iter().map(|at| pool.make(at.clone())).collect::<Result<Vec<_>, _>>()?;
        *pool.lock() = made;
        Ok(pool)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(crate) fn get(&self, place: usize) -> Option<Node> {
        self.lock().get(place).cloned()
    }

    /// The node with this name.
    pub(crate) fn named(&self, name: &str) -> Option<Node> {
        self.lock().iter().find(|node| node.at.name.as_deref() == Some(name)).cloned()
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
        let channel = endpoint
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .keep_alive_while_idle(true)
            .connect_with_connector_lazy(connector.timeout(self.connect_timeout).confirmed());
        Ok(Node { at, channel })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
