//! What the threads tell the loop, and what the loop tells them.

use std::sync::mpsc::SyncSender;
use std::time::Duration;

use farquorum_driver::eraftpb::{ConfChangeV2, ConfState, Entry};
use farquorum_driver::{Apply, Compact, DriverError, LogError};
use thiserror::Error;

/// Events that may wait for the loop. It drains all of them at every turn; a thread that finds the queue full waits,
/// and has nothing better to do.
pub(crate) const EVENTS_MAX: usize = 1024;

/// What a thread finished.
pub(crate) enum Event {
    /// The write with this number, and all before it, is durable.
    Persisted(u64),
    /// Everything up to this index is applied.
    Applied(u64),
    /// The applier stands at a change of members. It goes on when it gets the members after it, which is when they
    /// are durable.
    ConfChange {
        /// The change.
        change: ConfChangeV2,
        /// The way to go on; room for one.
        members: SyncSender<ConfState>,
    },
    /// The state as a snapshot.
    Snapshot(Compact),
    /// Entries that the driver wanted from the disk.
    Fetched {
        /// Of the fetch.
        id: u64,
        /// What there was.
        entries: Result<Vec<Entry>, LogError>,
    },
    /// There was no snapshot to send.
    NoSnapshot {
        /// Who needs one.
        peer: u64,
    },
    /// A thread cannot go on, so the node cannot.
    Failed(RaftFailure),
}

/// What the applier is to do, in this order.
pub(crate) enum Work {
    /// Entries or a snapshot.
    Apply(Apply),
    /// A peer needs a snapshot and there is none that is new enough: take one now.
    Snapshot,
}

/// Why the Raft part ended. The process ends with it: what is on the disk is what counts, and nothing is tried again.
#[derive(Debug, Error)]
pub enum RaftFailure {
    /// A write to the log failed. Whether it happened is unknown, so the log may not be written again.
    #[error("a write to the log failed; the node stops and must be started anew: {}", chain(.0))]
    Write(LogError),
    /// The log cannot be read.
    #[error("the log cannot be read: {}", chain(.0))]
    Read(LogError),
    /// The disk does not answer.
    #[error("the disk has not finished a write for {} s; the node stops", .0.as_secs())]
    DiskStuck(Duration),
    /// A committed entry or snapshot cannot be taken in: it was written by another version, or is damaged.
    #[error("committed {what} at index {index} cannot be applied: {detail}")]
    Apply {
        /// `entry` or `snapshot`.
        what: &'static str,
        /// Its index.
        index: u64,
        /// Why not.
        detail: String,
    },
    /// The driver refuses a change of members that was committed.
    #[error("a committed change of members cannot be applied")]
    Members(#[from] DriverError),
    /// The loop ended otherwise: our own mistake.
    #[error("the Raft loop ended: {0}")]
    Ended(String),
}

/// An error with all its causes; those that it shows itself stand there once.
fn chain(error: &LogError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let shown = error.to_string();
        if !text.contains(&shown) {
            text = format!("{text}: {shown}");
        }
        cause = error.source();
    }
    text
}
