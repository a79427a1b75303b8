//! How a driver is set up, and what can be wrong with that.

use raft::eraftpb::ConfState;
use thiserror::Error;

use crate::log::LogError;

const MIB: u64 = 1 << 20;

/// Settings of one driver. [`Settings::new`] has the measured defaults of the design notes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Id of this node, 1..=2^32-1.
    pub id: u64,
    /// Random number drawn anew at every start of the process.
    pub boot: u32,
    /// A leader sends heartbeats every so many ticks; at least 1.
    pub heartbeat_ticks: usize,
    /// One election timeout in ticks: check-quorum, leader transfer, stuck disk; more than `heartbeat_ticks`.
    pub election_ticks: usize,
    /// A follower campaigns after `min..max` ticks of silence, drawn anew for each term by raft-rs. At least
    /// `election_ticks`. For a deterministic run: `max = min + 1` and another `min` on each node.
    pub election_ticks_min: usize,
    /// See `election_ticks_min`; exclusive, greater than that.
    pub election_ticks_max: usize,
    /// Largest append message in bytes of entries.
    pub message_bytes_max: u64,
    /// Append messages in flight to one peer.
    pub inflight_max: usize,
    /// Bytes of entries that a leader has not committed yet; beyond it proposals are refused as overload.
    pub uncommitted_bytes_max: u64,
    /// Bytes of committed entries given to the applier in one [`crate::Apply`].
    pub apply_bytes_max: u64,
    /// Bytes of committed entries given to the applier and not yet reported as applied; beyond it they trickle.
    pub apply_backlog_bytes_max: u64,
    /// Bytes of persisted entries kept in memory for followers that are a little behind.
    pub tail_bytes_max: u64,
    /// Reads that may wait in the driver; beyond it they are refused as overload.
    pub reads_max: usize,
    /// Proposals that may be in the log and not committed here; beyond it they are refused as overload.
    pub proposals_max: usize,
    /// Index up to which the state machine holds everything. The outside restores the stored snapshot first when
    /// the state machine is behind the truncated position.
    pub applied: u64,
    /// Members of a new cluster, the same on all of them. Used only when the store is empty; none: a node that joins
    /// waits for a leader's snapshot.
    pub bootstrap: Option<ConfState>,
    /// Where raft-rs logs to; discarded by default.
    pub logger: slog::Logger,
}

impl Settings {
    /// The defaults for node `id` in the run `boot`: heartbeat 1 tick, election timeout 10 to 20 ticks.
    pub fn new(id: u64, boot: u32) -> Self {
        Self {
            id,
            boot,
            heartbeat_ticks: 1,
            election_ticks: 10,
            election_ticks_min: 10,
            election_ticks_max: 20,
            message_bytes_max: MIB,
            inflight_max: 256,
            uncommitted_bytes_max: 64 * MIB,
            apply_bytes_max: 8 * MIB,
            apply_backlog_bytes_max: 64 * MIB,
            tail_bytes_max: 64 * MIB,
            reads_max: 65_536,
            proposals_max: 65_536,
            applied: 0,
            bootstrap: None,
            logger: slog::Logger::root(slog::Discard, slog::o!()),
        }
    }
}

/// Why a driver could not be made or must stop.
#[derive(Debug, Error)]
pub enum DriverError {
    /// A setting is out of range.
    #[error("setting {key}: {value} is not allowed, {allowed}")]
    Setting {
        /// Name of the field in [`Settings`].
        key: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// The store could not be read.
    #[error("the log cannot be read")]
    Log(#[from] LogError),
    /// The store contradicts itself or the state machine.
    #[error("the stored state does not fit together: {what}")]
    Inconsistent {
        /// Which values, and what would be right.
        what: String,
    },
    /// raft-rs refuses.
    #[error("raft-rs: {0}")]
    Raft(#[from] raft::Error),
}
