//! A node that runs: its ports, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use farquorum_config::{Detours, Node};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::NodeError;
use crate::http::Readiness;
use crate::ports::{self, PortError};
use crate::raft::{HANDOVER_TIMEOUTS, RaftFailure, RaftHandle, RaftParts, Role, deadline_in};
use crate::transport::PeerTransport;

/// How long open requests may take to end at a graceful stop.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// All ports of a node.
pub(super) struct Listeners {
    pub(super) raft: TcpListener,
    pub(super) grpc: TcpListener,
    pub(super) http: TcpListener,
}

impl Listeners {
    /// Binds all of them or none: on the host `listen` when one is given, else where the node's detours lead.
    pub(super) async fn bind(me: &Node, listen: Option<&str>, detours: &Detours) -> Result<Self, PortError> {
        let at = |what, port: u16| {
            let known = format!("{}:{port}", me.address);
            let refuse = |error| PortError::Address {
                what,
                address: known.clone(),
                source: std::io::Error::other(error),
            };
            match listen {
                Some(host) => Ok(format!("{host}:{port}")),
                None => detours.of(&known).map(str::to_owned).map_err(refuse),
            }
        };
        Ok(Self {
            raft: ports::bind("Raft", "raft_port of this node", &at("Raft", me.raft_port)?).await?,
            grpc: ports::bind("gRPC", "grpc_port of this node", &at("gRPC", me.grpc_port)?).await?,
            http: ports::bind("HTTP", "http_port of this node", &at("HTTP", me.http_port)?).await?,
        })
    }
}

/// How a server ended, and which.
pub(super) type Served = (&'static str, Result<(), tonic::transport::Error>);

/// What runs beside Raft.
pub(super) struct Running {
    pub(super) servers: JoinSet<Served>,
    pub(super) chores: JoinHandle<()>,
    pub(super) readiness: Arc<Readiness>,
    pub(super) stop: CancellationToken,
    pub(super) raft: RaftHandle,
    pub(super) election_timeout: Duration,
}

impl Running {
    /// Runs until `shutdown`, or until something cannot go on; stops in order then.
    pub(super) async fn until(
        mut self,
        shutdown: impl Future<Output = ()> + Send,
        mut raft: RaftParts,
        transport: &PeerTransport,
    ) -> Result<(), NodeError> {
        let failed = tokio::select! {
            () = shutdown => None,
            failure = raft.failed() => {
                // The loop is gone: there is nothing to hand over and nothing to stop gracefully.
                self.stop.cancel();
                return Err(failure.into());
            }
            Some(served) = self.servers.join_next() => Some(ended(served)),
        };
        tracing::info!("stopping");
        self.readiness.stopping();
        self.hand_over().await;
        self.stop.cancel();
        self.drain().await;
        let stopped: Result<(), RaftFailure> = raft.stop().await;
        transport.stop().await;
        match failed {
            Some(error) => Err(error),
            None => Ok(stopped?),
        }
    }

    /// Before requests are drained, so that clients find the new leader instead of a closed door.
    async fn hand_over(&self) {
        let status = self.raft.status();
        if status.role != Role::Leader || status.voters.len() < 2 {
            return;
        }
        match self.raft.transfer(None, deadline_in(self.election_timeout * HANDOVER_TIMEOUTS)).await {
            Ok(to) => tracing::info!(to = to.0, "leadership handed over"),
            Err(error) => tracing::warn!(%error, "leadership was not handed over"),
        }
    }

    async fn drain(&mut self) {
        let drained = async {
            while self.servers.join_next().await.is_some() {}
            // It ends at once when told to; a panic in it has been reported already.
            let _ = (&mut self.chores).await;
        };
        if tokio::time::timeout(DRAIN_MAX, drained).await.is_err() {
            tracing::warn!(limit = ?DRAIN_MAX, "requests were still open: their connections are closed");
            self.servers.abort_all();
        }
    }
}

fn ended(served: Result<Served, tokio::task::JoinError>) -> NodeError {
    match served {
        Ok((what, Err(source))) => NodeError::Server { what, source },
        Ok((what, Ok(()))) => NodeError::Ended { what },
        Err(error) => NodeError::Panicked { source: error },
    }
}
