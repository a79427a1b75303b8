//! What the driver knows about itself and its peers, for `/raft-state`, metrics and placement.

use raft::eraftpb::ConfState;
use raft::{ProgressState, StateRole};

use crate::driver::Driver;

/// Role in the current term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// Follows, or knows no leader.
    #[default]
    Follower,
    /// Asks whether it could win, without a new term.
    PreCandidate,
    /// Asks for votes in a new term.
    Candidate,
    /// Leads.
    Leader,
}

impl From<StateRole> for Role {
    fn from(role: StateRole) -> Self {
        match role {
            StateRole::Follower => Self::Follower,
            StateRole::PreCandidate => Self::PreCandidate,
            StateRole::Candidate => Self::Candidate,
            StateRole::Leader => Self::Leader,
        }
    }
}

/// A snapshot of the driver's knowledge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// Id of this node.
    pub id: u64,
    /// Its role.
    pub role: Role,
    /// Current term.
    pub term: u64,
    /// Leader of this term; none: unknown.
    pub leader: Option<u64>,
    /// Last index known to be committed.
    pub committed: u64,
    /// Last index reported as applied.
    pub applied: u64,
    /// Last index of the log.
    pub last_index: u64,
    /// Last index that is gone from the log.
    pub truncated: u64,
    /// Members.
    pub conf_state: ConfState,
    /// To whom leadership is being transferred.
    pub transferring_to: Option<u64>,
    /// The store was cut and has not caught up: this node neither votes nor counts.
    pub in_doubt: bool,
    /// How many ticks the oldest unfinished write waits; 0: none waits. Beyond one election timeout this node hands
    /// leadership over and refuses proposals; the outside decides when to exit.
    pub disk_wait_ticks: u64,
    /// Bytes of entries that this leader has not committed yet.
    pub uncommitted_bytes: u64,
    /// The others, as this leader sees them; empty on others.
    pub peers: Vec<PeerStatus>,
}

/// A peer as the leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Its id.
    pub id: u64,
    /// It votes.
    pub voter: bool,
    /// Last index known to be durable there.
    pub matched: u64,
    /// Heard from since the last check-quorum (within one to two election timeouts).
    pub active: bool,
    /// A snapshot is on its way to it.
    pub in_snapshot: bool,
}

impl Driver {
    /// What the driver knows.
    pub fn status(&self) -> Status {
        let raft = &self.raw.raft;
        Status {
            id: self.settings.id,
            role: Role::from(raft.state),
            term: raft.term,
            leader: self.leader(),
            committed: raft.raft_log.committed,
            applied: raft.raft_log.applied,
            last_index: raft.raft_log.last_index(),
            truncated: self.raw.store().truncated().index,
            conf_state: self.raw.store().conf_state().clone(),
            transferring_to: raft.lead_transferee,
            in_doubt: self.doubt.is_some(),
            disk_wait_ticks: self.disk.wait_ticks(),
            uncommitted_bytes: u64::try_from(raft.uncommitted_size()).unwrap_or(u64::MAX),
            peers: if self.is_leader() { self.peers() } else { Vec::new() },
        }
    }

    /// The others, by id.
    fn peers(&self) -> Vec<PeerStatus> {
        let prs = self.raw.raft.prs();
        let others = prs.iter().filter(|(id, _)| **id != self.settings.id);
        let mut peers: Vec<_> = others
            .map(|(id, progress)| PeerStatus {
                id: *id,
                voter: prs.conf().voters().contains(*id),
                matched: progress.matched,
                active: progress.recent_active,
                in_snapshot: progress.state == ProgressState::Snapshot,
            })
            .collect();
        peers.sort_unstable_by_key(|peer| peer.id);
        peers
    }
}
