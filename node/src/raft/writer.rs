//! The one writer: takes what waits, one batch, one fsync, and tells the loop. The first error is its last act.

use std::sync::Arc;

use farquorum_driver::{LogStore, Write};
use tokio::sync::mpsc::Sender;

use super::event::{Event, RaftFailure};
use super::mailbox::Mailbox;
use super::observe::RaftMetrics;
use crate::clock::Clock;

pub(super) struct Writer {
    pub(super) store: Arc<dyn LogStore>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) events: Sender<Event>,
    pub(super) metrics: RaftMetrics,
    pub(super) clock: Arc<dyn Clock>,
}

impl Writer {
    /// Until the mailbox is closed and empty, or a write fails.
    pub(super) fn run(&self) {
        while let Some(write) = self.mailbox.take() {
            let start = self.clock.boot();
            let event = match self.store.write(&write) {
                Ok(()) => Event::Persisted(write.number),
                Err(error) => Event::Failed(RaftFailure::Write(error)),
            };
            self.metrics.fsync.observe(self.clock.boot().saturating_sub(start).as_secs_f64());
            self.metrics.written_bytes.inc_by(bytes(&write));
            let failed = matches!(event, Event::Failed(_));
            // The loop may be gone already; then what is written stays written.
            let _ = self.events.blocking_send(event);
            if failed {
                return;
            }
        }
    }
}

fn bytes(write: &Write) -> u64 {
    let entries: usize = write.entries.iter().map(|entry| entry.data.len()).sum();
    let snapshots =
        write.install.iter().chain(write.compaction.iter().map(|compaction| &compaction.snapshot));
    let snapshots: usize = snapshots.map(|snapshot| snapshot.data.len()).sum();
    u64::try_from(entries.saturating_add(snapshots)).unwrap_or(u64::MAX)
}
