//! The durable log: one RocksDB, one writer, one fsync for each batch.
//!
//! What a batch changes, it changes whole or not at all: entries with the deletion of the tail that they replace,
//! HardState, members, a snapshot with the truncation that it allows. Reads never wait for an fsync: what the log
//! holds is known in memory, and an iterator sees one moment of the database.
//! A failed write is final: the caller stops the process, nothing is tried again.

mod batch;
mod contents;
mod keys;
mod open;
mod options;
#[cfg(test)]
mod recorded;
mod snapshot;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError, RwLock};

use farquorum_driver::eraftpb::Entry;
use farquorum_driver::{Initial, LogError, LogPosition, LogStore, StoredSnapshot, Write};
use rocksdb::{DB, WriteBatch, WriteOptions};

use self::batch::Plan;
use self::contents::{Contents, Damage};
pub(super) use self::open::{LOG_DIR, open};
use super::identity::Identity;
use super::witness::Witness;
use super::{StorageError, doubt};

/// The log of one node in one data folder.
pub(super) struct RocksLog {
    db: DB,
    dir: PathBuf,
    witness: Witness,
    /// What is durable. Held for moments only, never during a write to the disk.
    contents: RwLock<Contents>,
    /// Held during each write.
    writing: Mutex<()>,
}

impl RocksLog {
    /// Whose folder it is.
    pub(super) fn identity(&self) -> Option<Identity> {
        self.now().identity
    }

    fn now(&self) -> Contents {
        // A thread that panicked while it held the lock left whole contents: they are replaced at once.
        self.contents.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Snapshot data goes ahead of the batch that makes it count, chunk by chunk, below a generation that nothing
    /// names yet. The order of the WAL makes it durable with that batch.
    fn write_chunks(&self, generation: u64, data: &[u8]) -> Result<(), LogError> {
        let family = contents::family(&self.db, keys::SNAPSHOT).map_err(corrupt)?;
        let mut left_over = WriteBatch::default();
        let next = generation.saturating_add(1);
        left_over.delete_range_cf(family, keys::chunk_key(generation, 0), keys::chunk_key(next, 0));
        let failed = self.failed("write a snapshot");
        self.db.write_opt(left_over, &write_options(false)).map_err(&failed)?;
        for (key, record) in snapshot::chunks(generation, data) {
            self.db.put_cf_opt(family, key, record, &write_options(false)).map_err(&failed)?;
        }
        Ok(())
    }
}

impl LogStore for RocksLog {
    fn initial(&self) -> Result<Initial, LogError> {
        let contents = self.now();
        let truncated = LogPosition { index: contents.truncated.index, term: contents.truncated.term };
        Ok(Initial {
            truncated,
            last_index: contents.tail.index,
            snapshot: contents.snapshot_meta().map_err(corrupt)?,
            in_doubt: doubt::is_marked(&self.dir).map_err(io("look for the mark of doubt"))?,
            hard_state: contents.hard_state,
            conf_state: contents.conf_state,
        })
    }

    fn entries(&self, low: u64, high: u64, max_bytes: u64) -> Result<Vec<Entry>, LogError> {
        self.read(|| self.entries_now(low, high, max_bytes))
    }

    fn term(&self, index: u64) -> Result<u64, LogError> {
        let contents = self.contents.read().unwrap_or_else(PoisonError::into_inner);
        contents.term(index).ok_or({
            let (truncated, last) = (contents.truncated.index, contents.tail.index);
            if index < truncated {
                LogError::Compacted { index, truncated }
            } else {
                LogError::Missing { index, last }
            }
        })
    }

    fn write(&self, write: &Write) -> Result<(), LogError> {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.now();
        let Plan { batch, after, data, .. } = Plan::new(&self.db, &before, write).map_err(corrupt)?;
        if let (Some(data), Some(record)) = (data, &after.snapshot) {
            self.write_chunks(record.generation, data)?;
        }
        let sync = write.must_sync || data.is_some() || write.clear_in_doubt;
        self.db.write_opt(batch, &write_options(sync)).map_err(self.failed("write to the log"))?;
        *self.contents.write().unwrap_or_else(PoisonError::into_inner) = after;
        if sync {
            self.witness.note(self.db.latest_sequence_number()).map_err(io("note what is synced"))?;
        }
        if write.clear_in_doubt {
            doubt::clear(&self.dir).map_err(io("take the mark of doubt away"))?;
            tracing::info!(path = %self.dir.display(), "the log is whole again: this node votes from now on");
        }
        Ok(())
    }

    fn snapshot(&self) -> Result<Option<StoredSnapshot>, LogError> {
        self.read(|| self.snapshot_now())
    }
}

impl RocksLog {
    /// Reads as of one moment. A write that is seen in the database before it is seen in `contents` looks like damage:
    /// what looks damaged is read once more, with no write under way.
    fn read<T>(&self, read: impl Fn() -> Result<T, LogError>) -> Result<T, LogError> {
        match read() {
            Err(LogError::Corrupt { .. }) => {
                let _no_write = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
                read()
            }
            other => other,
        }
    }

    fn entries_now(&self, low: u64, high: u64, max_bytes: u64) -> Result<Vec<Entry>, LogError> {
        let (truncated, last) = self.bounds();
        if low <= truncated {
            return Err(LogError::Compacted { index: low, truncated });
        }
        if low > last {
            return Err(LogError::Missing { index: low, last });
        }
        contents::read_entries(&self.db, low, high.min(last.saturating_add(1)), max_bytes).map_err(corrupt)
    }

    fn snapshot_now(&self) -> Result<Option<StoredSnapshot>, LogError> {
        let contents = self.now();
        let (Some(record), Some(meta)) = (&contents.snapshot, contents.snapshot_meta().map_err(corrupt)?)
        else {
            return Ok(None);
        };
        let data = snapshot::read(&self.db, record).map_err(corrupt)?.into();
        Ok(Some(StoredSnapshot { meta, data }))
    }

    fn bounds(&self) -> (u64, u64) {
        let contents = self.contents.read().unwrap_or_else(PoisonError::into_inner);
        (contents.truncated.index, contents.tail.index)
    }

    fn failed(&self, action: &'static str) -> impl Fn(rocksdb::Error) -> LogError {
        let log = self.dir.join(LOG_DIR);
        move |error| LogError::Io { action, source: Box::new(StorageError::rocks(action, &log, &error)) }
    }
}

fn write_options(sync: bool) -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(sync);
    options.disable_wal(false);
    options
}

fn corrupt(damage: Damage) -> LogError {
    LogError::Corrupt { what: format!("{}: {}", damage.place, damage.detail) }
}

fn io(action: &'static str) -> impl Fn(StorageError) -> LogError {
    move |error| LogError::Io { action, source: Box::new(error) }
}
