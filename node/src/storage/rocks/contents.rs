//! Reads everything that a log holds and checks that it fits together: every checksum, the chain, the end, the
//! snapshot. Runs at every open, so a start costs one read of the log; compaction keeps that short.

use farquorum_driver::eraftpb::{ConfState, Entry, HardState};
use farquorum_driver::{LogPosition, SnapshotMeta};
use rocksdb::{DB, Direction, IteratorMode, ReadOptions};

use super::super::identity::Identity;
use super::super::record::{self, Link};
use super::super::terms::Terms;
use super::keys::{self, SnapshotRecord, Tail, Truncated};
use super::snapshot;

/// What a log holds, without entries and data. In memory this follows every write.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Contents {
    pub(super) identity: Option<Identity>,
    pub(super) hard_state: HardState,
    pub(super) conf_state: ConfState,
    pub(super) truncated: Truncated,
    /// End of the log. Invariant: at or beyond `truncated`.
    pub(super) tail: Tail,
    pub(super) terms: Terms,
    pub(super) snapshot: Option<SnapshotRecord>,
}

/// Something does not fit.
#[derive(Debug)]
pub(super) struct Damage {
    /// Where.
    pub(super) place: String,
    /// What.
    pub(super) detail: String,
}

impl Damage {
    pub(super) fn new(place: impl Into<String>, detail: impl ToString) -> Self {
        Self { place: place.into(), detail: detail.to_string() }
    }
}

impl Contents {
    /// Reads and checks all of it.
    pub(super) fn read(db: &DB) -> Result<Self, Damage> {
        let mut contents = Self {
            identity: small(db, keys::IDENTITY)?,
            hard_state: message(db, keys::HARD_STATE)?.unwrap_or_default(),
            conf_state: message(db, keys::CONF_STATE)?.unwrap_or_default(),
            truncated: small(db, keys::TRUNCATED)?.unwrap_or_default(),
            tail: small(db, keys::TAIL)?.unwrap_or_default(),
            terms: Terms::default(),
            snapshot: small(db, keys::SNAPSHOT_META)?,
        };
        contents.read_log(db)?;
        if contents.hard_state.commit > contents.tail.index {
            let (commit, last) = (contents.hard_state.commit, contents.tail.index);
            return Err(Damage::new(
                "hard state",
                format!("commit index {commit} is beyond the last entry {last}"),
            ));
        }
        let covered = contents.snapshot.as_ref().map_or(0, |snapshot| snapshot.index);
        if contents.truncated.index > covered {
            let truncated = contents.truncated.index;
            let detail = format!(
                "the log begins after {truncated}, the snapshot holds everything up to {covered} only"
            );
            return Err(Damage::new("snapshot", detail));
        }
        if let Some(record) = &contents.snapshot {
            snapshot::read(db, record)?;
        }
        Ok(contents)
    }

    /// Walks the entries; fills `terms`.
    fn read_log(&mut self, db: &DB) -> Result<(), Damage> {
        let (mut index, mut link) = (self.truncated.index, Link(self.truncated.link));
        let mut term = self.truncated.term;
        for item in db.iterator_cf_opt(family(db, keys::LOG)?, checked(), IteratorMode::Start) {
            let (key, value) =
                item.map_err(|error| Damage::new(format!("log after entry {index}"), error))?;
            index = index.saturating_add(1);
            let place = || format!("log entry {index}");
            if *key != index.to_be_bytes() {
                return Err(Damage::new(place(), format!("the next one there has key {key:02x?}")));
            }
            let (next, content) =
                record::open_entry(Some(link), index, &value).map_err(|e| Damage::new(place(), e))?;
            let entry: Entry = farquorum_driver::decode(content).map_err(|e| Damage::new(place(), e))?;
            if entry.index != index || entry.term < term {
                let detail = format!("has index {}, term {} after term {term}", entry.index, entry.term);
                return Err(Damage::new(place(), detail));
            }
            self.terms.push(index, entry.term);
            (link, term) = (next, entry.term);
        }
        let found = Tail { index, link: link.0 };
        if found != self.tail {
            let (Tail { index: at, link: ends }, noted) = (found, self.tail);
            let detail =
                format!("ends at {at} with {ends:08x}, noted is {} with {:08x}", noted.index, noted.link);
            return Err(Damage::new("end of the log", detail));
        }
        Ok(())
    }

    /// Term of an entry, or of the truncated position.
    pub(super) fn term(&self, index: u64) -> Option<u64> {
        match index {
            _ if index == self.truncated.index => Some(self.truncated.term),
            _ if index > self.truncated.index && index <= self.tail.index => self.terms.get(index),
            _ => None,
        }
    }

    pub(super) fn snapshot_meta(&self) -> Result<Option<SnapshotMeta>, Damage> {
        let Some(record) = &self.snapshot else { return Ok(None) };
        let conf_state = farquorum_driver::decode(&record.conf_state)
            .map_err(|error| Damage::new("snapshot members", error))?;
        let position = LogPosition { index: record.index, term: record.term };
        Ok(Some(SnapshotMeta { position, conf_state }))
    }
}

/// Entries of `[low, high)` with checksums and chain verified, at most `max_bytes` of them but at least one. The
/// iterator sees the log as of one moment, so the chain holds in it whatever the writer does meanwhile.
pub(super) fn read_entries(db: &DB, low: u64, high: u64, max_bytes: u64) -> Result<Vec<Entry>, Damage> {
    let mut options = checked();
    options.set_iterate_upper_bound(high.to_be_bytes());
    let (mut entries, mut bytes, mut link) = (Vec::new(), 0_u64, None);
    let start = low.to_be_bytes();
    let from = IteratorMode::From(&start, Direction::Forward);
    for (index, item) in (low..high).zip(db.iterator_cf_opt(family(db, keys::LOG)?, options, from)) {
        let place = || format!("log entry {index}");
        let (key, value) = item.map_err(|error| Damage::new(place(), error))?;
        if *key != index.to_be_bytes() {
            return Err(Damage::new(place(), format!("the next one there has key {key:02x?}")));
        }
        let (next, content) =
            record::open_entry(link, index, &value).map_err(|error| Damage::new(place(), error))?;
        bytes = bytes.saturating_add(u64::try_from(content.len()).unwrap_or(u64::MAX));
        if bytes > max_bytes && !entries.is_empty() {
            break;
        }
        entries.push(farquorum_driver::decode(content).map_err(|error| Damage::new(place(), error))?);
        link = Some(next);
    }
    if entries.is_empty() && low < high {
        return Err(Damage::new(format!("log entry {low}"), "is missing"));
    }
    Ok(entries)
}

/// Link of one stored entry.
pub(super) fn read_link(db: &DB, index: u64) -> Result<Link, Damage> {
    let place = || format!("log entry {index}");
    let record = db
        .get_cf(family(db, keys::LOG)?, index.to_be_bytes())
        .map_err(|error| Damage::new(place(), error))?;
    let record = record.ok_or_else(|| Damage::new(place(), "is missing"))?;
    let (link, _) = record::open_entry(None, index, &record).map_err(|error| Damage::new(place(), error))?;
    Ok(link)
}

pub(super) fn family<'db>(db: &'db DB, name: &str) -> Result<&'db rocksdb::ColumnFamily, Damage> {
    db.cf_handle(name).ok_or_else(|| Damage::new(format!("column family {name}"), "is missing"))
}

/// Verifies block checksums and leaves the cache alone.
pub(super) fn checked() -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_verify_checksums(true);
    options.fill_cache(false);
    options
}

fn content(db: &DB, key: &[u8]) -> Result<Option<Vec<u8>>, Damage> {
    let place = || format!("record {}", String::from_utf8_lossy(key));
    let Some(record) = db.get_opt(key, &checked()).map_err(|error| Damage::new(place(), error))? else {
        return Ok(None);
    };
    record::open(key, &record)
        .map(|content| Some(content.to_vec()))
        .map_err(|error| Damage::new(place(), error))
}

fn small<T: for<'b> minicbor::Decode<'b, ()>>(db: &DB, key: &[u8]) -> Result<Option<T>, Damage> {
    let Some(content) = content(db, key)? else { return Ok(None) };
    let place = || format!("record {}", String::from_utf8_lossy(key));
    minicbor::decode(&content).map(Some).map_err(|error| Damage::new(place(), error))
}

/// A record that holds one of raft-rs's types.
macro_rules! message_record {
    ($($kind:ty),*) => { $(impl Stored for $kind {
        fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
            farquorum_driver::decode(bytes).map_err(|error| error.to_string())
        }
    })* };
}

/// raft-rs's types are built with another prost than ours: named one by one.
trait Stored: Sized {
    fn from_bytes(bytes: &[u8]) -> Result<Self, String>;
}

message_record!(HardState, ConfState);

fn message<T: Stored>(db: &DB, key: &[u8]) -> Result<Option<T>, Damage> {
    let Some(content) = content(db, key)? else { return Ok(None) };
    let place = || format!("record {}", String::from_utf8_lossy(key));
    T::from_bytes(&content).map(Some).map_err(|error| Damage::new(place(), error))
}
