//! The durable log: one trait, two implementations ([`crate::MemoryLog`] here, RocksDB in farquorum-node).
//!
//! The driver only decides what has to be written; a [`Write`] is one atomic batch and one fsync, made by ONE writer.

use bytes::Bytes;
use raft::eraftpb::{ConfState, Entry, HardState, Message, Snapshot, SnapshotMetadata};
use thiserror::Error;

/// The durable Raft log of one node.
///
/// Guarantees that an implementation gives:
/// 1. A [`Write`] is atomic: after a crash all of it is there or nothing of it.
/// 2. After `write` returned for a [`Write`] with `must_sync`, that write and all before it survive a power loss.
/// 3. Reads see every write that returned.
pub trait LogStore: Send + Sync + 'static {
    /// What was there at open. All of it must survive a power loss: after `kill -9` the page cache may hold writes
    /// that were never synced, so sync them before they are reported (acknowledged and lost otherwise; simulated).
    fn initial(&self) -> Result<Initial, LogError>;

    /// Entries of `[low, high)` in order, without gaps, from `low` on: as many as fit in `max_bytes`, at least one.
    /// Errors: `Compacted` when `low` is truncated, `Missing` when nothing is stored at `low`.
    fn entries(&self, low: u64, high: u64, max_bytes: u64) -> Result<Vec<Entry>, LogError>;

    /// Term of the entry at `index`, or of the truncated position itself.
    fn term(&self, index: u64) -> Result<u64, LogError>;

    /// Writes one batch, with one fsync when `must_sync`. Called by the one writer only. After an error the node
    /// must stop: an fsync that failed is never tried again.
    fn write(&self, write: &Write) -> Result<(), LogError>;

    /// The newest snapshot, whole; none when there never was one.
    fn snapshot(&self) -> Result<Option<StoredSnapshot>, LogError>;
}

/// A position in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LogPosition {
    /// Index; 0 is before the first entry.
    pub index: u64,
    /// Term of the entry there; 0 only at index 0.
    pub term: u64,
}

/// Where the log of every cluster starts: the bootstrap is a snapshot here, with the first members and no data, which
/// stands for the empty state. So a node that joins later needs a snapshot first and gets the members with it: they
/// are in no entry. The first entry has the next index.
pub const BOOTSTRAP: LogPosition = LogPosition { index: 1, term: 1 };

/// What a store held when it was opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Initial {
    /// Term, vote, commit; default when never written.
    pub hard_state: HardState,
    /// Members; default (no voters) only in an empty store.
    pub conf_state: ConfState,
    /// Everything up to here is gone from the log. Invariant: `snapshot` is at or beyond it, unless it is 0.
    pub truncated: LogPosition,
    /// Index of the last entry; equals `truncated.index` when the log is empty.
    pub last_index: u64,
    /// The newest snapshot without its bytes. Invariant: at most `last_index`.
    pub snapshot: Option<SnapshotMeta>,
    /// The tail of the log was cut because it could not be trusted: synced entries or votes may be gone. Stays set
    /// until a [`Write`] with `clear_in_doubt`.
    pub in_doubt: bool,
}

impl Initial {
    /// True when nothing was ever written.
    pub fn is_empty(&self) -> bool {
        self.last_index == 0 && self.hard_state == HardState::default() && self.conf_state.voters.is_empty()
    }
}

/// A snapshot without its bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SnapshotMeta {
    /// The last entry that it holds.
    pub position: LogPosition,
    /// Members as of that entry.
    pub conf_state: ConfState,
}

/// A snapshot of the state machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoredSnapshot {
    /// Position and members.
    pub meta: SnapshotMeta,
    /// The state, opaque here; empty at [`BOOTSTRAP`], where it stands for the empty state.
    pub data: Bytes,
}

impl StoredSnapshot {
    /// Puts this snapshot into a `MsgSnapshot` in the place of the one it was made for, which may be older.
    pub fn fill(&self, message: &mut Message) {
        let metadata = Some(to_metadata(&self.meta));
        message.snapshot = Some(Snapshot { data: self.data.to_vec(), metadata });
    }
}

/// raft-rs's form of a snapshot's position and members.
pub(crate) fn to_metadata(meta: &SnapshotMeta) -> SnapshotMetadata {
    SnapshotMetadata {
        conf_state: Some(meta.conf_state.clone()),
        index: meta.position.index,
        term: meta.position.term,
    }
}

/// Own state to keep as a snapshot, and how much of the log it makes superfluous.
#[derive(Clone, Debug, PartialEq)]
pub struct Compaction {
    /// The new newest snapshot.
    pub snapshot: StoredSnapshot,
    /// Delete entries up to and with this position; it becomes [`Initial::truncated`]. At most the snapshot's.
    pub truncate: LogPosition,
}

/// One atomic batch. Its parts take effect in the order of the fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Write {
    /// Number of the newest write in it, counted from 1; goes back as [`crate::Input::Persisted`] after the write.
    pub number: u64,
    /// A snapshot from the leader: drop the whole log, it starts again after this position (which becomes
    /// [`Initial::truncated`] too); its ConfState becomes the node's.
    pub install: Option<StoredSnapshot>,
    /// Append: delete everything from the index of the first of these on, then put them. Without gaps.
    pub entries: Vec<Entry>,
    /// Own state as a snapshot, and truncation.
    pub compaction: Option<Compaction>,
    /// New members (a change that was applied); takes the place of the stored ones.
    pub conf_state: Option<ConfState>,
    /// New term, vote, commit.
    pub hard_state: Option<HardState>,
    /// The store is no longer in doubt.
    pub clear_in_doubt: bool,
    /// It must be on stable storage before it is reported as persisted.
    pub must_sync: bool,
}

impl Write {
    /// Makes one batch of this write and the one that the driver put out after it.
    pub fn merge(&mut self, later: Write) {
        self.number = later.number;
        if later.install.is_some() {
            // The installed snapshot replaces the log and every older snapshot.
            self.install = later.install;
            self.entries.clear();
            self.compaction = None;
            self.conf_state = None;
        }
        if let Some(first) = later.entries.first() {
            let keep = self.entries.partition_point(|entry| entry.index < first.index);
            self.entries.truncate(keep);
            self.entries.extend(later.entries);
        }
        self.compaction = later.compaction.or(self.compaction.take());
        self.conf_state = later.conf_state.or(self.conf_state.take());
        self.hard_state = later.hard_state.or(self.hard_state.take());
        self.clear_in_doubt |= later.clear_in_doubt;
        self.must_sync |= later.must_sync;
    }
}

/// Why the store could not do it.
#[derive(Debug, Error)]
pub enum LogError {
    /// The entry was truncated; a snapshot holds what it did.
    #[error("entry {index} is compacted: the log starts after {truncated}")]
    Compacted {
        /// Index that was asked for.
        index: u64,
        /// Last index that is gone.
        truncated: u64,
    },
    /// The entry is not there.
    #[error("entry {index} is not in the log, which ends at {last}")]
    Missing {
        /// Index that was asked for.
        index: u64,
        /// Last index that there is.
        last: u64,
    },
    /// What is stored is not what was written.
    #[error("the log is damaged: {what}")]
    Corrupt {
        /// Where and how.
        what: String,
    },
    /// The disk said no.
    #[error("{action}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The error below.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(number: u64, entries: &[(u64, u64)]) -> Write {
        let entries =
            entries.iter().map(|(index, term)| Entry { index: *index, term: *term, ..Entry::default() });
        Write { number, entries: entries.collect(), ..Write::default() }
    }

    #[test]
    fn a_later_append_replaces_everything_from_its_first_entry_on() {
        let cases: [(&[_], &[_], &[_]); 4] = [
            (&[(5, 1), (6, 1)], &[(7, 1)], &[(5, 1), (6, 1), (7, 1)]),
            (&[(5, 1), (6, 1), (7, 1)], &[(6, 2)], &[(5, 1), (6, 2)]),
            (&[(5, 1), (6, 1)], &[(4, 2), (5, 2)], &[(4, 2), (5, 2)]),
            (&[(5, 1)], &[], &[(5, 1)]),
        ];
        for (first, later, merged) in cases {
            let mut all = write(1, first);
            all.merge(write(2, later));
            assert_eq!(all, write(2, merged));
        }
    }

    #[test]
    fn an_installed_snapshot_drops_what_was_written_before_it() {
        let mut all = write(1, &[(5, 1), (6, 1)]);
        all.compaction =
            Some(Compaction { snapshot: StoredSnapshot::default(), truncate: LogPosition::default() });
        let install = Some(StoredSnapshot::default());
        all.merge(Write { number: 2, install: install.clone(), must_sync: true, ..Write::default() });
        assert_eq!(all, Write { number: 2, install, must_sync: true, ..Write::default() });
    }
}
