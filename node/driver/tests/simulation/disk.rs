//! A disk: what the process sees (page cache) apart from what survives a power loss (synced).

use std::collections::BTreeSet;
use std::sync::Arc;

use farquorum_driver::{LogStore, MemoryLog, Write};

use crate::dice::Dice;

#[derive(Default)]
pub(crate) struct Disk {
    /// What a process reads back; survives `kill -9`.
    pub(crate) cached: MemoryLog,
    /// What survives a power loss for certain.
    pub(crate) synced: MemoryLog,
    /// In the page cache, not synced, in order.
    unsynced: Vec<Write>,
    /// Waits for the writer.
    waiting: Option<Write>,
    /// The writer is at it.
    writing: Option<Write>,
    /// The disk answers nothing before this time.
    pub(crate) stuck_until: u64,
    /// Entries that were synced and then lost to damage: index and term.
    torn: BTreeSet<(u64, u64)>,
}

impl Disk {
    /// The store as the driver takes it. What it reads must be durable: after `kill -9` the page cache holds writes
    /// that were never synced, so opening syncs.
    pub(crate) fn open(&mut self) -> Arc<dyn LogStore> {
        self.sync(usize::MAX);
        Arc::new(self.cached.clone())
    }

    pub(crate) fn queue(&mut self, write: Write) {
        match &mut self.waiting {
            Some(waiting) => waiting.merge(write),
            none => *none = Some(write),
        }
    }

    /// The writer takes what waits. False when there is nothing or it is busy.
    pub(crate) fn start(&mut self) -> bool {
        if self.writing.is_some() || self.waiting.is_none() {
            return false;
        }
        self.writing = self.waiting.take();
        true
    }

    /// The batch reaches the page cache.
    pub(crate) fn cache(&mut self) {
        if let Some(write) = &self.writing {
            self.cached.write(write).unwrap();
            self.unsynced.push(write.clone());
        }
    }

    /// The writer is done with the batch, with an fsync if it asks for one; its number.
    pub(crate) fn finish(&mut self) -> u64 {
        let write = self.writing.take().unwrap();
        if write.must_sync {
            self.sync(usize::MAX);
        }
        write.number
    }

    fn sync(&mut self, writes: usize) {
        let writes = writes.min(self.unsynced.len());
        for write in self.unsynced.drain(..writes) {
            self.synced.write(&write).unwrap();
        }
    }

    /// The process is gone; the page cache is not.
    pub(crate) fn kill(&mut self) {
        (self.waiting, self.writing, self.stuck_until) = (None, None, 0);
    }

    /// The machine is gone: of what was not synced a prefix may have reached the disk.
    pub(crate) fn cut_power(&mut self, dice: &mut Dice) {
        self.kill();
        let most = u64::try_from(self.unsynced.len()).unwrap();
        self.sync(usize::try_from(dice.range(0, most + 1)).unwrap());
        self.unsynced.clear();
        self.cached = self.synced.fork();
    }

    /// Damage at the end of a log that was synced: cut, and in doubt.
    pub(crate) fn tear(&mut self, dice: &mut Dice) {
        let initial = self.synced.initial().unwrap();
        // A snapshot was written after the entries that it holds, so a cut that takes those takes it too.
        let least = initial.snapshot.map_or(0, |meta| meta.position.index);
        let last = dice.range(least, initial.last_index + 1);
        let lost = (last + 1..=initial.last_index).map(|index| (index, self.synced.term(index).unwrap()));
        self.torn.extend(lost);
        self.synced.cut(last);
        self.cached = self.synced.fork();
    }

    /// The entry survives a power loss here, or would have if the log had not been damaged.
    pub(crate) fn holds(&self, index: u64, term: u64) -> bool {
        let truncated = self.synced.initial().unwrap().truncated.index;
        let stored = index <= truncated || self.synced.term(index).ok() == Some(term);
        stored || self.torn.contains(&(index, term))
    }
}
