//! The log in memory, for tests and `storage.log = "memory"`: it lives as long as the process.
//!
//! Not over raft-rs's `MemStorage`: that one forgets where it was truncated as soon as it is empty, and panics at the
//! next append. Limit: nothing is durable, so a node with this log must never come back under the same id.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use raft::eraftpb::{Entry, HardState};

use crate::log::{Initial, LogError, LogPosition, LogStore, StoredSnapshot, Write};
use crate::view::within;

/// A log in memory; a clone is the same log.
#[derive(Clone, Debug, Default)]
pub struct MemoryLog {
    contents: Arc<RwLock<Contents>>,
}

#[derive(Clone, Debug, Default)]
struct Contents {
    /// What [`LogStore::initial`] says, but for the two that follow from the fields below.
    initial: Initial,
    /// Without gaps. Invariant: the first one follows `initial.truncated`.
    entries: Vec<Entry>,
    snapshot: Option<StoredSnapshot>,
}

impl Contents {
    fn last_index(&self) -> u64 {
        self.entries.last().map_or(self.initial.truncated.index, |entry| entry.index)
    }

    /// The entries from `index` on.
    fn from(&self, index: u64) -> Result<&[Entry], LogError> {
        let (truncated, last) = (self.initial.truncated.index, self.last_index());
        if index <= truncated {
            return Err(LogError::Compacted { index, truncated });
        }
        let skip = self.entries.partition_point(|entry| entry.index < index);
        match self.entries.get(skip..) {
            Some(entries) if !entries.is_empty() => Ok(entries),
            _ => Err(LogError::Missing { index, last }),
        }
    }

    fn restart_after(&mut self, position: LogPosition, snapshot: &StoredSnapshot) {
        self.entries.retain(|entry| entry.index > position.index);
        self.initial.truncated = position;
        self.snapshot = Some(snapshot.clone());
    }

    fn write(&mut self, write: &Write) -> Result<(), LogError> {
        if let Some(snapshot) = &write.install {
            self.entries.clear();
            self.restart_after(snapshot.meta.position, snapshot);
            self.initial.conf_state = snapshot.meta.conf_state.clone();
        }
        if let Some(first) = write.entries.first() {
            if first.index <= self.initial.truncated.index
                || first.index > self.last_index().saturating_add(1)
            {
                let (from, to) = (self.initial.truncated.index, self.last_index());
                let what = format!("append at {}, the log holds what is after {from} to {to}", first.index);
                return Err(LogError::Corrupt { what });
            }
            let keep = self.entries.partition_point(|entry| entry.index < first.index);
            self.entries.truncate(keep);
            self.entries.extend_from_slice(&write.entries);
        }
        if let Some(compaction) = &write.compaction {
            self.restart_after(compaction.truncate, &compaction.snapshot);
        }
        self.initial.conf_state = write.conf_state.clone().unwrap_or_else(|| self.initial.conf_state.clone());
        self.initial.hard_state = write.hard_state.clone().unwrap_or_else(|| self.initial.hard_state.clone());
        self.initial.in_doubt &= !write.clear_in_doubt;
        Ok(())
    }
}

impl MemoryLog {
    /// An independent copy with the same contents.
    pub fn fork(&self) -> Self {
        Self { contents: Arc::new(RwLock::new(self.read().clone())) }
    }

    /// Cuts the log after `last` and marks it as in doubt, as a store does that finds its tail damaged: entries,
    /// terms, votes and commits written after that entry are gone.
    pub fn cut(&self, last: u64) {
        let mut contents = self.contents.write().unwrap_or_else(PoisonError::into_inner);
        contents.entries.retain(|entry| entry.index <= last);
        let term = contents.entries.last().map_or(contents.initial.truncated.term, |entry| entry.term);
        let commit = contents.initial.hard_state.commit.min(contents.last_index());
        contents.initial.hard_state = HardState { term, vote: 0, commit };
        contents.initial.in_doubt = true;
    }

    fn read(&self) -> RwLockReadGuard<'_, Contents> {
        // A writer that panicked left whole values behind: each field is replaced at once.
        self.contents.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogStore for MemoryLog {
    fn initial(&self) -> Result<Initial, LogError> {
        let contents = self.read();
        let snapshot = contents.snapshot.as_ref().map(|snapshot| snapshot.meta.clone());
        Ok(Initial { last_index: contents.last_index(), snapshot, ..contents.initial.clone() })
    }

    fn entries(&self, low: u64, high: u64, max_bytes: u64) -> Result<Vec<Entry>, LogError> {
        let contents = self.read();
        let entries = contents.from(low)?;
        Ok(within(entries.iter().take_while(|entry| entry.index < high), max_bytes))
    }

    fn term(&self, index: u64) -> Result<u64, LogError> {
        let contents = self.read();
        if index == contents.initial.truncated.index {
            return Ok(contents.initial.truncated.term);
        }
        let (entry, last) = (contents.from(index)?.first(), contents.last_index());
        entry.map(|entry| entry.term).ok_or(LogError::Missing { index, last })
    }

    fn write(&self, write: &Write) -> Result<(), LogError> {
        self.contents.write().unwrap_or_else(PoisonError::into_inner).write(write)
    }

    fn snapshot(&self) -> Result<Option<StoredSnapshot>, LogError> {
        Ok(self.read().snapshot.clone())
    }
}
