//! Writes under way: what each makes durable, and what may only happen after it.

use std::collections::VecDeque;

use raft::eraftpb::{HardState, Message};

use crate::log::{LogPosition, SnapshotMeta, StoredSnapshot};

/// Term and vote: what a node promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Promise {
    pub(crate) term: u64,
    pub(crate) vote: u64,
}

impl From<&HardState> for Promise {
    fn from(hard_state: &HardState) -> Self {
        Self { term: hard_state.term, vote: hard_state.vote }
    }
}

/// One write under way.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// Number of the write.
    pub(crate) write: u64,
    /// Newest Ready of raft-rs that is persisted with it; 0: none.
    pub(crate) ready: u64,
    /// Term and vote that it makes durable.
    pub(crate) promise: Option<Promise>,
    /// Leave after it, in this order.
    pub(crate) messages: Vec<Message>,
    /// A snapshot to restore after it.
    pub(crate) restore: Option<StoredSnapshot>,
    /// A snapshot that peers can have after it, and where the log starts then.
    pub(crate) snapshot: Option<(SnapshotMeta, LogPosition)>,
    /// Tick at which it was put out; set by [`Disk::begin`].
    pub(crate) since: u64,
}

/// The writes under way, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    last_write: u64,
    pending: VecDeque<Pending>,
    durable: Promise,
    now: u64,
}

impl Disk {
    /// A disk that holds this term and vote.
    pub(crate) fn new(durable: Promise) -> Self {
        Self { durable, ..Self::default() }
    }

    /// A number for a write.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.last_write = self.last_write.saturating_add(1);
        self.last_write
    }

    /// A write that needs an fsync goes out.
    pub(crate) fn begin(&mut self, pending: Pending) {
        self.pending.push_back(Pending { since: self.now, ..pending });
    }

    /// The newest write under way.
    pub(crate) fn newest(&mut self) -> Option<&mut Pending> {
        self.pending.back_mut()
    }

    /// The oldest write, when it is done by `number`.
    pub(crate) fn finish(&mut self, number: u64) -> Option<Pending> {
        if self.pending.front()?.write > number {
            return None;
        }
        let done = self.pending.pop_front()?;
        self.durable = done.promise.unwrap_or(self.durable);
        Some(done)
    }

    /// Nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    /// A snapshot is on its way to the disk.
    pub(crate) fn writes_snapshot(&self) -> bool {
        self.pending.iter().any(|pending| pending.snapshot.is_some())
    }

    /// This term and vote survive a power loss.
    pub(crate) fn holds(&self, promise: Promise) -> bool {
        self.durable == promise
    }

    pub(crate) fn tick(&mut self) {
        self.now = self.now.saturating_add(1);
    }

    /// How many ticks the oldest write waits; 0 when idle.
    pub(crate) fn wait_ticks(&self) -> u64 {
        self.pending.front().map_or(0, |oldest| self.now.saturating_sub(oldest.since))
    }
}
