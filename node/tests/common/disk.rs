//! A log on a disk that can fail or hang.

use std::sync::{Arc, Condvar, Mutex};

use farquorum_driver::eraftpb::Entry;
use farquorum_driver::{Initial, LogError, LogStore, StoredSnapshot, Write};

/// What the disk does with writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Well,
    Fails,
    Hangs,
}

pub struct Disk {
    log: Arc<dyn LogStore>,
    mood: Mutex<Mood>,
    changed: Condvar,
}

impl Disk {
    pub fn new(log: Arc<dyn LogStore>) -> Self {
        Self { log, mood: Mutex::new(Mood::Well), changed: Condvar::new() }
    }

    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
        self.changed.notify_all();
    }
}

impl LogStore for Disk {
    fn initial(&self) -> Result<Initial, LogError> {
        self.log.initial()
    }

    fn entries(&self, low: u64, high: u64, max_bytes: u64) -> Result<Vec<Entry>, LogError> {
        self.log.entries(low, high, max_bytes)
    }

    fn term(&self, index: u64) -> Result<u64, LogError> {
        self.log.term(index)
    }

    fn write(&self, write: &Write) -> Result<(), LogError> {
        let mood = self.mood.lock().unwrap();
        let mood = self.changed.wait_while(mood, |mood| *mood == Mood::Hangs).unwrap();
        if *mood == Mood::Fails {
            let source = Box::new(std::io::Error::from_raw_os_error(28));
            return Err(LogError::Io { action: "write to the log", source });
        }
        drop(mood);
        self.log.write(write)
    }

    fn snapshot(&self) -> Result<Option<StoredSnapshot>, LogError> {
        self.log.snapshot()
    }
}
