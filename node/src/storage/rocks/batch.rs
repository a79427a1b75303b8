//! Turns one [`Write`] into one RocksDB batch and the contents after it. Nothing is written here.

use farquorum_driver::eraftpb::Entry;
use farquorum_driver::{Compaction, StoredSnapshot, Write, encode};
use rocksdb::{DB, WriteBatch};

use super::super::record::{self, Link};
use super::contents::{Contents, Damage, family, read_link};
use super::keys::{self, SnapshotRecord, Tail, Truncated};
use super::snapshot;

/// A batch under construction.
pub(super) struct Plan<'a> {
    db: &'a DB,
    /// All that is to be written with one fsync.
    pub(super) batch: WriteBatch,
    /// What the log holds after it.
    pub(super) after: Contents,
    /// Data to be written as chunks of the generation in `after.snapshot` before the batch.
    pub(super) data: Option<&'a [u8]>,
    /// Links of the entries in this batch, from `after.tail` back; the database does not have them yet.
    fresh: Vec<(u64, Link)>,
}

impl<'a> Plan<'a> {
    /// The batch for this write, its parts in the order of its fields.
    pub(super) fn new(db: &'a DB, before: &Contents, write: &'a Write) -> Result<Self, Damage> {
        let mut plan =
            Self { db, batch: WriteBatch::default(), after: before.clone(), data: None, fresh: Vec::new() };
        if let Some(snapshot) = &write.install {
            plan.install(snapshot)?;
        }
        if let Some(first) = write.entries.first() {
            plan.append(first.index, &write.entries)?;
        }
        if let Some(compaction) = &write.compaction {
            plan.compact(compaction)?;
        }
        if let Some(conf_state) = &write.conf_state {
            plan.after.conf_state = conf_state.clone();
            plan.put(keys::CONF_STATE, &encode(conf_state));
        }
        if let Some(hard_state) = &write.hard_state {
            plan.after.hard_state = hard_state.clone();
            plan.put(keys::HARD_STATE, &encode(hard_state));
        }
        if plan.after.tail != before.tail {
            plan.put_small(keys::TAIL, plan.after.tail)?;
        }
        if plan.after.truncated != before.truncated {
            plan.put_small(keys::TRUNCATED, plan.after.truncated)?;
        }
        Ok(plan)
    }

    /// The log is nothing but this snapshot.
    fn install(&mut self, snapshot: &'a StoredSnapshot) -> Result<(), Damage> {
        self.store(snapshot)?;
        let position = snapshot.meta.position;
        self.batch.delete_range_cf(family(self.db, keys::LOG)?, [0; 8], [0xff; 8]);
        self.after.truncated = Truncated { index: position.index, term: position.term, link: 0 };
        self.after.tail = Tail { index: position.index, link: 0 };
        self.after.terms = super::super::terms::Terms::default();
        self.fresh.clear();
        self.after.conf_state = snapshot.meta.conf_state.clone();
        self.put(keys::CONF_STATE, &encode(&snapshot.meta.conf_state));
        Ok(())
    }

    /// Deletes everything from the first new entry on, then puts the new ones.
    fn append(&mut self, first: u64, entries: &[Entry]) -> Result<(), Damage> {
        let log = family(self.db, keys::LOG)?;
        let Tail { index: last, .. } = self.after.tail;
        if first <= self.after.truncated.index || first > last.saturating_add(1) {
            let detail =
                format!("cannot begin at {first}: the log is {} to {last}", self.after.truncated.index);
            return Err(Damage::new("new entries", detail));
        }
        let mut link = self.link(first.saturating_sub(1))?;
        if first <= last {
            self.batch.delete_range_cf(log, first.to_be_bytes(), [0xff; 8]);
            self.after.terms.cut_from(first);
            self.fresh.retain(|(index, _)| *index < first);
        }
        let mut end = first.saturating_sub(1);
        for (index, entry) in (first..).zip(entries) {
            if entry.index != index {
                return Err(Damage::new("new entries", format!("entry {} stands at {index}", entry.index)));
            }
            let (next, record) = record::seal_entry(link, index, &encode(entry));
            self.batch.put_cf(log, index.to_be_bytes(), record);
            self.after.terms.push(index, entry.term);
            self.fresh.push((index, next));
            (link, end) = (next, index);
        }
        self.after.tail = Tail { index: end, link: link.0 };
        Ok(())
    }

    /// Keeps an own snapshot and forgets the entries up to `truncate`. One that is older than what is stored (the
    /// leader's came in between) is left out.
    fn compact(&mut self, compaction: &'a Compaction) -> Result<(), Damage> {
        let position = compaction.snapshot.meta.position;
        if self.after.snapshot.as_ref().is_some_and(|stored| stored.index >= position.index) {
            return Ok(());
        }
        self.store(&compaction.snapshot)?;
        let cut = compaction.truncate;
        if cut.index <= self.after.truncated.index {
            return Ok(());
        }
        if cut.index > position.index || self.after.term(cut.index) != Some(cut.term) {
            let detail =
                format!("cannot end at {} with term {}: {position:?} is stored", cut.index, cut.term);
            return Err(Damage::new("truncation", detail));
        }
        let link = self.link(cut.index)?;
        let first = self.after.truncated.index.saturating_add(1);
        let log = family(self.db, keys::LOG)?;
        self.batch.delete_range_cf(log, first.to_be_bytes(), cut.index.saturating_add(1).to_be_bytes());
        self.after.truncated = Truncated { index: cut.index, term: cut.term, link: link.0 };
        self.after.terms.cut_to(cut.index);
        Ok(())
    }

    fn store(&mut self, snapshot: &'a StoredSnapshot) -> Result<(), Damage> {
        let generation = self.after.snapshot.as_ref().map_or(1, |stored| stored.generation.saturating_add(1));
        let record = SnapshotRecord {
            generation,
            index: snapshot.meta.position.index,
            term: snapshot.meta.position.term,
            conf_state: encode(&snapshot.meta.conf_state),
            bytes: u64::try_from(snapshot.data.len()).unwrap_or(u64::MAX),
            digest: *blake3::hash(&snapshot.data).as_bytes(),
        };
        snapshot::delete_others(self.db, &mut self.batch, generation)?;
        self.put_small(keys::SNAPSHOT_META, &record)?;
        self.after.snapshot = Some(record);
        self.data = Some(&snapshot.data);
        Ok(())
    }

    /// Link of an entry, in this batch or before it.
    fn link(&self, index: u64) -> Result<Link, Damage> {
        match index {
            _ if index == self.after.tail.index => Ok(Link(self.after.tail.link)),
            _ if index == self.after.truncated.index => Ok(Link(self.after.truncated.link)),
            _ => match self.fresh.iter().rev().find(|(at, _)| *at == index) {
                Some((_, link)) => Ok(*link),
                None => read_link(self.db, index),
            },
        }
    }

    fn put(&mut self, key: &[u8], content: &[u8]) {
        self.batch.put(key, record::seal(key, content));
    }

    fn put_small<T: minicbor::Encode<()>>(&mut self, key: &[u8], value: T) -> Result<(), Damage> {
        let content = minicbor::to_vec(value).map_err(|error| Damage::new("record", error))?;
        self.put(key, &content);
        Ok(())
    }
}
