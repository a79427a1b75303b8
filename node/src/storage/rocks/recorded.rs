//! Tests: what stands in the database, key by key, against recordings of every version; and a folder made of them is
//! opened and read.
//!
//! The keys and values are recorded, not RocksDB's files: those are 160 kB for twelve entries, no review can read
//! them, and RocksDB itself promises to open its older files. `cargo test -p farquorum-node --lib
//! storage::rocks::recorded -- --ignored record` records what is new in this version.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

use farquorum_driver::eraftpb::{ConfChangeV2, ConfState, Entry, EntryType, HardState};
use farquorum_driver::{Compaction, LogPosition, LogStore, SnapshotMeta, StoredSnapshot, Write, encode};
use rocksdb::IteratorMode;

use super::super::identity::{FORMAT, Identity, Member, StoreId};
use super::super::record::{self, Link};
use super::keys::{self, FAMILIES, SnapshotRecord, Tail, Truncated};
use super::options::{self, Recovery};
use super::{RocksLog, open};

#[path = "../../../core/tests/formats/recorded.rs"]
#[allow(dead_code, reason = "each user takes its part")]
mod judge;

use judge::{Read, Sample, compare, record as add, recordings};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/storage")
}

fn identity() -> Identity {
    let member = |id| Member { id, name: format!("cp-{id}"), voter: id != 3 };
    Identity {
        format: FORMAT,
        cluster: "farquorum".into(),
        node: 1,
        store: StoreId([7; 16]),
        founders: vec![member(1), member(2), member(3)],
    }
}

fn members() -> ConfState {
    ConfState { voters: vec![1, 2], learners: vec![3], ..ConfState::default() }
}

/// Entries of each kind: a command, the empty one of a new leader, a change of members, and one behind the snapshot.
fn entries() -> Vec<Entry> {
    let change = encode(&ConfChangeV2::default());
    let contents = [b"command".to_vec(), Vec::new(), change, b"another".to_vec()];
    let entry = |(index, data): (u64, Vec<u8>)| {
        let mut entry =
            Entry { index, term: 2, data, context: vec![index.to_be_bytes()[7]; 16], ..Entry::default() };
        if index == 3 {
            entry.set_entry_type(EntryType::EntryConfChangeV2);
        }
        entry
    };
    (1..).zip(contents).map(entry).collect()
}

fn hard_state() -> HardState {
    HardState { term: 3, vote: 2, commit: 3 }
}

fn snapshot() -> StoredSnapshot {
    let meta = SnapshotMeta { position: LogPosition { index: 3, term: 2 }, conf_state: members() };
    StoredSnapshot { meta, data: b"a state".as_slice().into() }
}

/// Writes one of everything. The first entries go with the snapshot.
fn fill(log: &RocksLog) {
    let sync = Write { must_sync: true, ..Write::default() };
    let first = Write {
        entries: entries(),
        conf_state: Some(members()),
        hard_state: Some(hard_state()),
        ..sync.clone()
    };
    log.write(&first).unwrap();
    let compaction = Compaction { snapshot: snapshot(), truncate: LogPosition { index: 1, term: 2 } };
    log.write(&Write { compaction: Some(compaction), ..sync }).unwrap();
}

/// Every record of a database, named by its place.
fn dump(log: &RocksLog) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for family in FAMILIES {
        let handle = log.db.cf_handle(family).unwrap();
        for item in log.db.iterator_cf(handle, IteratorMode::Start) {
            let (key, value) = item.unwrap();
            let name = match family {
                "default" => String::from_utf8(key.to_vec()).unwrap(),
                _ => judge::hex(&key).trim().to_owned(),
            };
            all.insert(format!("{family}-{name}"), value.to_vec());
        }
    }
    all
}

fn place(name: &str) -> (&str, Vec<u8>) {
    match name.split_once('-').unwrap() {
        ("default", key) => ("default", key.as_bytes().to_vec()),
        (family, key) => (family, judge::unhex(key)),
    }
}

fn samples() -> Vec<Sample> {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), &identity()).unwrap();
    fill(&log);
    let sample = |(name, bytes): (String, Vec<u8>)| {
        let (meaning, _) = read(&name, &bytes).unwrap();
        Sample { name, bytes, meaning }
    };
    dump(&log).into_iter().map(sample).collect()
}

fn read(name: &str, bytes: &[u8]) -> Read {
    let (family, key) = place(name);
    if family == keys::LOG {
        let index = u64::from_be_bytes(key.try_into().map_err(|_| "no index".to_owned())?);
        let (link, content) = record::open_entry(None, index, bytes).map_err(|error| error.to_string())?;
        // The first in the log follows one that is gone: its link is in the record.
        let before = Link(u32::from_le_bytes(bytes[4..8].try_into().unwrap()));
        let entry: Entry = farquorum_driver::decode(content).map_err(|error| error.to_string())?;
        let again = record::seal_entry(before, index, &encode(&entry)).1;
        return Ok((format!("{:#?}\n", (link, entry)), again));
    }
    let content = record::open(&key, bytes).map_err(|error| error.to_string())?;
    let (meaning, again) = match (family, key.as_slice()) {
        (keys::SNAPSHOT, _) => (String::from_utf8_lossy(content).into_owned() + "\n", content.to_vec()),
        (_, keys::IDENTITY) => small::<Identity>(content)?,
        (_, keys::TRUNCATED) => small::<Truncated>(content)?,
        (_, keys::TAIL) => small::<Tail>(content)?,
        (_, keys::SNAPSHOT_META) => small::<SnapshotRecord>(content)?,
        (_, keys::HARD_STATE) => {
            let it: HardState = farquorum_driver::decode(content).map_err(|error| error.to_string())?;
            (format!("{it:#?}\n"), encode(&it))
        }
        (_, keys::CONF_STATE) => {
            let it: ConfState = farquorum_driver::decode(content).map_err(|error| error.to_string())?;
            (format!("{it:#?}\n"), encode(&it))
        }
        other => return Err(format!("nothing is known of {other:?}")),
    };
    Ok((meaning, record::seal(&key, &again)))
}

fn small<T: Debug + minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()>>(
    content: &[u8],
) -> Result<(String, Vec<u8>), String> {
    let value: T = minicbor::decode(content).map_err(|error| error.to_string())?;
    Ok((format!("{value:#?}\n"), minicbor::to_vec(&value).unwrap()))
}

#[test]
fn what_any_version_stored_is_read_and_stored_the_same() {
    compare(&folder(), &samples(), read);
}

/// A folder as each version left it: the records that it had anew beside those of the versions before it.
#[test]
fn a_folder_of_any_version_is_opened() {
    let mut records = BTreeMap::new();
    let mut versions: BTreeMap<PathBuf, Vec<Sample>> = BTreeMap::new();
    for (path, recorded) in recordings(&folder()) {
        versions.entry(path.parent().unwrap().to_owned()).or_default().push(recorded);
    }
    assert!(!versions.is_empty());
    for (version, recorded) in versions {
        records.extend(recorded.into_iter().map(|sample| (sample.name, sample.bytes)));
        let dir = tempfile::tempdir().unwrap();
        restore(dir.path(), &records);
        let log =
            open(dir.path(), &identity()).unwrap_or_else(|error| panic!("{}: {error}", version.display()));
        assert_eq!(log.identity(), Some(identity()));
        let initial = log.initial().unwrap();
        assert_eq!((initial.hard_state, initial.conf_state), (hard_state(), members()));
        assert_eq!((initial.truncated, initial.last_index), (LogPosition { index: 1, term: 2 }, 4));
        assert_eq!(log.snapshot().unwrap(), Some(snapshot()));
        assert_eq!(log.entries(2, 5, u64::MAX).unwrap(), entries()[1..]);
        // It goes on where it was.
        let next = Entry { index: 5, term: 3, ..Entry::default() };
        log.write(&Write { entries: vec![next], must_sync: true, ..Write::default() }).unwrap();
        drop(log);
        assert_eq!(open(dir.path(), &identity()).unwrap().initial().unwrap().last_index, 5);
    }
}

/// A folder of a format to come is refused as such, and left as it was.
#[test]
fn a_folder_of_a_later_format_is_refused() {
    let mut records: BTreeMap<_, _> =
        samples().into_iter().map(|sample| (sample.name, sample.bytes)).collect();
    let later = minicbor::to_vec(Identity { format: FORMAT + 1, ..identity() }).unwrap();
    records.insert("default-identity".into(), record::seal(keys::IDENTITY, &later));
    let dir = tempfile::tempdir().unwrap();
    restore(dir.path(), &records);
    let refused = open(dir.path(), &identity()).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains(&format!("{}", FORMAT + 1)), "{refused}");
    println!("{refused}");
}

fn restore(dir: &Path, records: &BTreeMap<String, Vec<u8>>) {
    let db = options::open(&dir.join(super::LOG_DIR), Recovery::Strict, true).unwrap();
    for (name, bytes) in records {
        let (family, key) = place(name);
        db.put_cf(db.cf_handle(family).unwrap(), key, bytes).unwrap();
    }
}

#[test]
#[ignore = "records what is new in this version"]
fn record() {
    add(&folder(), &samples());
}
