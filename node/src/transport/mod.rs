//! How nodes talk to each other. Loss is allowed everywhere: Raft sends again.

mod dial;
mod hello;
mod lane;
mod levels;
mod peer;
mod peers;
mod probe;
mod queue;
mod rtt;
mod server;
mod snapshot;

use bytes::Bytes;
use farquorum_config::{Config, NodeId};
use farquorum_core::Level;

pub(crate) use dial::WINDOW_BYTES;
pub(crate) use hello::{Local, StoreIds};
pub(crate) use levels::Levels;
pub(crate) use peer::Identities;
pub use peer::PeerTransport;
pub use peers::LinkStatus;
pub use rtt::{RttQuantiles, RttSummary};
pub(crate) use server::PeerServer;

/// A Raft message on its way to a peer.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// To whom.
    pub to: NodeId,
    /// Encoded as raft-rs encodes it (eraftpb.Message).
    pub message: Bytes,
    /// Whether it travels on the control lane (heartbeats, votes and their answers) and never waits behind entries.
    pub control: bool,
}

/// A snapshot on its way to a peer, sent in chunks on a connection of its own.
#[derive(Clone, Debug)]
pub struct OutgoingSnapshot {
    /// To whom.
    pub to: NodeId,
    /// The eraftpb.Message without the snapshot's data.
    pub message: Bytes,
    /// The snapshot's data.
    pub data: Bytes,
}

/// What the Raft loop needs of a network.
pub trait Transport: Send + Sync + 'static {
    /// Queues messages in order, per peer and lane. Never waits; drops when a peer's queue is full (and reports the
    /// peer as unreachable once).
    fn send(&self, messages: Vec<Outgoing>);

    /// Starts to send a snapshot; its end is reported with [`crate::raft::RaftHandle::snapshot_sent`], always.
    fn send_snapshot(&self, snapshot: OutgoingSnapshot);

    /// The level that a peer said it has; the first one as long as it has said nothing.
    fn level(&self, peer: NodeId) -> Level {
        let _ = peer;
        Level::FIRST
    }
}

/// Longest frame between nodes: a batch ends behind 1 MiB, its last message may hold one entry of the longest request
/// that a client may send, and there is room for what surrounds it.
pub(crate) fn message_bytes_max(config: &Config) -> usize {
    let entry = usize::try_from(config.limits.message_bytes_max).unwrap_or(usize::MAX / 2);
    entry.saturating_add(4 << 20)
}
