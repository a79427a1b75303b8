//! The way to the writer: room for one batch. What comes while the disk is busy is merged into the batch that waits,
//! so the next fsync makes all of it durable (group commit).
//!
//! Bound: one batch. Its bytes are bounded by the driver: a leader's uncommitted entries, a follower's window.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use farquorum_driver::Write;

#[derive(Default)]
pub(super) struct Mailbox {
    slot: Mutex<Slot>,
    changed: Condvar,
}

#[derive(Default)]
struct Slot {
    waiting: Option<Write>,
    closed: bool,
}

impl Mailbox {
    /// Adds a write. Never waits for the disk.
    pub(super) fn put(&self, write: Write) {
        let mut slot = self.lock();
        match &mut slot.waiting {
            Some(waiting) => waiting.merge(write),
            none => *none = Some(write),
        }
        self.changed.notify_one();
    }

    /// Waits for a batch. None: closed, and nothing is left.
    pub(super) fn take(&self) -> Option<Write> {
        let mut slot = self.lock();
        loop {
            if let Some(write) = slot.waiting.take() {
                return Some(write);
            }
            if slot.closed {
                return None;
            }
            slot = self.changed.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// No more writes come.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_becomes_one_batch_and_closing_keeps_it() {
        let mailbox = Mailbox::default();
        for number in 1..=3 {
            mailbox.put(Write { number, must_sync: number == 2, ..Write::default() });
        }
        mailbox.close();
        let batch = mailbox.take().unwrap();
        assert_eq!((batch.number, batch.must_sync), (3, true));
        assert!(mailbox.take().is_none());
    }
}
