//! The log as raft-rs sees it: everything new readable at once, whether or not it is on the disk yet.
//!
//! Recent entries are in memory; older ones come through an asynchronous fetch wherever raft-rs allows it (catching
//! up a follower), and straight from the store where it does not (entries that were committed but not applied when
//! the process started, and only those: an entry is kept in memory until it was handed to the applier).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use prost_raft::Message as _;
use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{GetEntriesContext, RaftState, Storage, StorageError};

use crate::cold::Cold;
use crate::io::Fetch;
use crate::log::{Initial, LogError, LogPosition, LogStore, SnapshotMeta, to_metadata};
use crate::terms::Terms;

pub(crate) struct View {
    store: Arc<dyn LogStore>,
    /// As read at the start; raft-rs asks once.
    hard_state: HardState,
    conf_state: ConfState,
    terms: Terms,
    /// The newest entries without gaps. Invariant: they end at `terms.last()`.
    tail: VecDeque<Entry>,
    tail_bytes: u64,
    /// Newest snapshot that is durable. Invariant: at or beyond the truncated position, unless nothing is truncated.
    snapshot: Option<SnapshotMeta>,
    /// raft-rs reads through `&self`, and a read may have to note what it waits for.
    cold: RefCell<Cold>,
    want_snapshot: RefCell<bool>,
}

impl View {
    pub(crate) fn new(store: Arc<dyn LogStore>, initial: Initial) -> Result<Self, LogError> {
        let terms = Terms::load(store.as_ref(), initial.truncated, initial.last_index)?;
        Ok(Self {
            store,
            hard_state: initial.hard_state,
            conf_state: initial.conf_state,
            terms,
            tail: VecDeque::new(),
            tail_bytes: 0,
            snapshot: initial.snapshot,
            cold: RefCell::default(),
            want_snapshot: RefCell::default(),
        })
    }

    pub(crate) fn conf_state(&self) -> &ConfState {
        &self.conf_state
    }

    pub(crate) fn set_conf_state(&mut self, conf_state: ConfState) {
        self.conf_state = conf_state;
    }

    pub(crate) fn truncated(&self) -> LogPosition {
        self.terms.truncated()
    }

    pub(crate) fn snapshot_index(&self) -> u64 {
        self.snapshot.as_ref().map_or(0, |meta| meta.position.index)
    }

    pub(crate) fn position(&self, index: u64) -> Option<LogPosition> {
        self.terms.term(index).map(|term| LogPosition { index, term })
    }

    /// Puts new entries in place of everything from the first of them on.
    pub(crate) fn append(&mut self, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        while self.tail.back().is_some_and(|entry| entry.index >= first.index) {
            let gone = self.tail.pop_back();
            self.tail_bytes = self.tail_bytes.saturating_sub(gone.as_ref().map_or(0, size));
        }
        for entry in entries {
            self.terms.append(LogPosition { index: entry.index, term: entry.term });
            self.tail_bytes = self.tail_bytes.saturating_add(size(entry));
            self.tail.push_back(entry.clone());
        }
    }

    /// Starts the log again after a snapshot from the leader.
    pub(crate) fn install(&mut self, meta: &SnapshotMeta) {
        self.terms = Terms::new(meta.position);
        self.tail.clear();
        self.tail_bytes = 0;
        self.conf_state = meta.conf_state.clone();
    }

    /// A snapshot became durable; the log up to `truncate` is gone.
    pub(crate) fn compacted(&mut self, snapshot: SnapshotMeta, truncate: LogPosition) {
        if snapshot.position.index > self.snapshot_index() {
            self.snapshot = Some(snapshot);
        }
        self.terms.truncate(truncate);
        let gone = self.terms.truncated().index;
        while self.tail.front().is_some_and(|entry| entry.index <= gone) {
            self.drop_front();
        }
    }

    /// Drops the oldest entries in memory down to `max_bytes`, but none after `upto`.
    pub(crate) fn trim(&mut self, upto: u64, max_bytes: u64) {
        while self.tail_bytes > max_bytes && self.tail.front().is_some_and(|entry| entry.index <= upto) {
            self.drop_front();
        }
    }

    /// Fetches wanted since the last call.
    pub(crate) fn take_fetches(&mut self) -> Vec<Fetch> {
        self.cold.get_mut().take_new()
    }

    /// True when a follower needed a snapshot since the last call and there was none.
    pub(crate) fn take_want_snapshot(&mut self) -> bool {
        std::mem::take(self.want_snapshot.get_mut())
    }

    /// Makes fetched entries readable until [`View::forget_fetched`]. Those that were replaced since are dropped.
    pub(crate) fn fetched(&mut self, id: u64, mut entries: Vec<Entry>) -> Vec<GetEntriesContext> {
        let valid =
            entries.iter().take_while(|entry| self.terms.term(entry.index) == Some(entry.term)).count();
        entries.truncate(valid);
        self.cold.get_mut().arrive(id, entries)
    }

    pub(crate) fn forget_fetched(&mut self) {
        self.cold.get_mut().forget();
    }

    fn drop_front(&mut self) {
        if let Some(entry) = self.tail.pop_front() {
            self.tail_bytes = self.tail_bytes.saturating_sub(size(&entry));
        }
    }

    fn tail_first(&self) -> u64 {
        self.tail.front().map_or(self.terms.last().saturating_add(1), |entry| entry.index)
    }

    /// Entries of `[low, high)` that are not in memory.
    fn cold_entries(
        &self,
        low: u64,
        high: u64,
        max_bytes: u64,
        context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        let high = high.min(self.tail_first());
        if !context.can_async() {
            return self.store.entries(low, high, max_bytes).map_err(store_error);
        }
        let mut cold = self.cold.borrow_mut();
        if let Some(arrived) = cold.arrived_at(low) {
            let fit = arrived.iter().take_while(|entry| entry.index < high);
            return Ok(within(fit, max_bytes));
        }
        cold.want(low, high, max_bytes, context);
        Err(StorageError::LogTemporarilyUnavailable.into())
    }
}

impl Storage for View {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState::new(self.hard_state.clone(), self.conf_state.clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        let max_bytes = max_size.into().unwrap_or(u64::MAX);
        if low <= self.terms.truncated().index {
            return Err(StorageError::Compacted.into());
        }
        if high > self.terms.last().saturating_add(1) {
            return Err(StorageError::Unavailable.into());
        }
        let tail_first = self.tail_first();
        let mut entries = Vec::new();
        if low < tail_first {
            entries = self.cold_entries(low, high, max_bytes, context)?;
            let next = entries.last().map_or(low, |entry| entry.index.saturating_add(1));
            if next < tail_first.min(high) {
                return Ok(entries);
            }
        }
        // Both ends are within the tail by the checks above.
        let skip = usize::try_from(low.max(tail_first).saturating_sub(tail_first)).unwrap_or(usize::MAX);
        let rest = self.tail.iter().skip(skip).take_while(|entry| entry.index < high);
        if entries.is_empty() {
            return Ok(within(rest, max_bytes));
        }
        let used = entries.iter().map(size).sum();
        entries.extend(within_from(rest, max_bytes, used));
        Ok(entries)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        let error =
            if index > self.terms.last() { StorageError::Unavailable } else { StorageError::Compacted };
        self.terms.term(index).ok_or_else(|| error.into())
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.terms.truncated().index.saturating_add(1))
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.terms.last())
    }

    /// The newest durable snapshot, without its bytes: they travel on a connection of their own, read beside the loop.
    /// One from before `to` was a member would be ignored there, so a newer one is asked for.
    fn snapshot(&self, request_index: u64, to: u64) -> raft::Result<Snapshot> {
        let least = request_index.max(self.terms.truncated().index).max(1);
        match &self.snapshot {
            Some(meta) if meta.position.index >= least && is_member(&meta.conf_state, to) => {
                Ok(Snapshot { data: Vec::new(), metadata: Some(to_metadata(meta)) })
            }
            _ => {
                *self.want_snapshot.borrow_mut() = true;
                Err(StorageError::SnapshotTemporarilyUnavailable.into())
            }
        }
    }
}

fn is_member(conf: &ConfState, id: u64) -> bool {
    [&conf.voters, &conf.learners, &conf.voters_outgoing].into_iter().any(|ids| ids.contains(&id))
}

/// Encoded size of an entry in bytes.
pub(crate) fn size(entry: &Entry) -> u64 {
    u64::try_from(entry.encoded_len()).unwrap_or(u64::MAX)
}

/// As many as fit, at least one.
pub(crate) fn within<'a>(entries: impl Iterator<Item = &'a Entry>, max_bytes: u64) -> Vec<Entry> {
    let mut entries = entries;
    let first = entries.next().cloned();
    let used = first.as_ref().map_or(0, size);
    first.into_iter().chain(within_from(entries, max_bytes, used)).collect()
}

/// As many as fit after `used` bytes.
fn within_from<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    max_bytes: u64,
    mut used: u64,
) -> impl Iterator<Item = Entry> {
    entries
        .take_while(move |entry| {
            used = used.saturating_add(size(entry));
            used <= max_bytes
        })
        .cloned()
}

fn store_error(error: LogError) -> raft::Error {
    match error {
        LogError::Compacted { .. } => StorageError::Compacted.into(),
        LogError::Missing { .. } => StorageError::Unavailable.into(),
        other => StorageError::Other(Box::new(other)).into(),
    }
}
