//! What several tests share: a configuration, and writes to a log.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses a part of it; a test fails by panicking"
)]

pub mod cluster;
pub mod disk;

use std::path::Path;
use std::sync::Arc;

use farquorum_config::{Config, NodeId, Sources};
use farquorum_driver::eraftpb::{ConfState, Entry, HardState};
use farquorum_driver::{Compaction, LogPosition, LogStore, SnapshotMeta, StoredSnapshot, Write};
use farquorum_node::storage::{StorageError, open_store};

/// The built-in topology (nodes 1 to 3) with these settings.
pub fn config(overrides: &[(&str, &str)]) -> Config {
    let overrides = overrides.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    farquorum_config::load(&Sources { overrides, ..Sources::default() }).unwrap().config
}

pub fn open(dir: &Path) -> Result<Arc<dyn LogStore>, StorageError> {
    open_store(&config(&[]), NodeId(1), Some(dir)).map(|(store, _)| store)
}

/// A synced write.
pub fn synced() -> Write {
    Write { must_sync: true, ..Write::default() }
}

/// Entries `first..=last` of one term, with content that depends on both.
pub fn entries(first: u64, last: u64, term: u64) -> Vec<Entry> {
    (first..=last)
        .map(|index| Entry {
            index,
            term,
            data: format!("entry {index} of term {term} ").repeat(4).into_bytes(),
            ..Entry::default()
        })
        .collect()
}

pub fn append(store: &dyn LogStore, first: u64, last: u64, term: u64) {
    let hard_state = HardState { term, vote: 1, commit: first - 1 };
    store
        .write(&Write { entries: entries(first, last, term), hard_state: Some(hard_state), ..synced() })
        .unwrap();
}

pub fn members(voters: &[u64]) -> ConfState {
    ConfState { voters: voters.to_vec(), ..ConfState::default() }
}

pub fn snapshot(index: u64, term: u64, bytes: usize) -> StoredSnapshot {
    let data: Vec<u8> =
        (0..bytes).map(|at| u8::try_from((at + usize::try_from(index).unwrap()) % 251).unwrap()).collect();
    let meta = SnapshotMeta { position: LogPosition { index, term }, conf_state: members(&[1, 2, 3]) };
    StoredSnapshot { meta, data: data.into() }
}

pub fn compaction(index: u64, cut: u64, term: u64, bytes: usize) -> Write {
    let compaction =
        Compaction { snapshot: snapshot(index, term, bytes), truncate: LogPosition { index: cut, term } };
    Write { compaction: Some(compaction), ..synced() }
}

/// All that a log says of itself, as text: two logs with the same text are the same.
pub fn describe(store: &dyn LogStore) -> String {
    let initial = store.initial().unwrap();
    let first = initial.truncated.index + 1;
    let entries = match initial.last_index {
        last if last < first => Vec::new(),
        last => store.entries(first, last + 1, u64::MAX).unwrap(),
    };
    let terms: Vec<_> =
        (initial.truncated.index..=initial.last_index).map(|at| store.term(at).unwrap()).collect();
    format!("{initial:?}\n{entries:?}\n{terms:?}\n{:?}", store.snapshot().unwrap())
}
