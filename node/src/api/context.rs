//! What all services share, and the two ways to the state: a command through the log, a read of the applied state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant as StdInstant;

use farquorum_config::{Config, Node, NodeId};
use farquorum_core::{Command, Outcome};
use tokio::time::Instant;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::{Prober, errors, request};
use crate::manifest::Waiting;
use crate::raft::{RaftHandle, Role, View};
use crate::release::Release;
use crate::transport::LinkStatus;

/// The links to the other nodes at this moment.
pub(crate) type Links = Arc<dyn Fn() -> BTreeMap<NodeId, LinkStatus> + Send + Sync>;

/// What all services share.
pub(crate) struct Context {
    pub(crate) config: Arc<Config>,
    pub(crate) me: Node,
    pub(crate) raft: RaftHandle,
    /// Polls that wait for a grant.
    pub(crate) waiting: Arc<Waiting>,
    pub(crate) links: Links,
    /// Probes on request.
    pub(crate) prober: Prober,
    /// When the process started.
    pub(crate) started: StdInstant,
    pub(crate) release: Release,
}

impl Context {
    /// When the answer to a request must leave.
    pub(crate) fn deadline(&self, metadata: &MetadataMap) -> Instant {
        request::deadline(metadata, self.config.limits.request_timeout)
    }

    /// Bytes of contents in one answer of a list: half of a message, the rest is for what surrounds them.
    pub(crate) fn room(&self) -> usize {
        usize::try_from(self.config.limits.message_bytes_max / 2).unwrap_or(usize::MAX)
    }

    /// Replicates a command; answers what it did.
    pub(crate) async fn propose(&self, command: Command, deadline: Instant) -> Result<Outcome, Status> {
        let proposed = self.raft.propose(command, deadline).await;
        let applied = proposed.map_err(|error| errors::write(&error, &self.config))?;
        applied.outcome.map_err(|rejection| errors::rejection(&rejection))
    }

    /// The state with everything that was acknowledged anywhere before now.
    pub(crate) async fn read(&self, deadline: Instant) -> Result<Arc<View>, Status> {
        self.raft.read(deadline).await.map_err(|error| errors::read(&error, &self.config))
    }

    /// Refuses a request that only the leader serves.
    pub(crate) fn must_lead(&self) -> Result<(), Status> {
        let status = self.raft.status();
        match status.role {
            Role::Leader => Ok(()),
            Role::Follower | Role::Candidate => Err(errors::not_leader(status.leader, &self.config)),
        }
    }
}
