//! Reads from the log beside the loop: entries for followers that are far behind, and snapshots to send.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use farquorum_config::NodeId;
use farquorum_driver::eraftpb::Message;
use farquorum_driver::{Fetch, LogStore};
use tokio::sync::mpsc::Sender;

use super::event::{Event, RaftFailure};
use super::message::snapshot_message;
use crate::transport::{OutgoingSnapshot, Transport};

/// Reads that may wait: the driver has at most one of each kind under way for each peer; beyond that a read is
/// answered as failed, and the driver asks again.
pub(super) const READS_MAX: usize = 64;

pub(super) enum Read {
    /// Entries for the driver.
    Entries(Fetch),
    /// Send the newest snapshot; the message says to whom.
    Snapshot(Box<Message>),
}

pub(super) struct Reader {
    pub(super) store: Arc<dyn LogStore>,
    pub(super) reads: Receiver<Read>,
    pub(super) events: Sender<Event>,
    pub(super) transport: Arc<dyn Transport>,
}

impl Reader {
    /// Until the loop is gone.
    pub(super) fn run(&self) {
        while let Ok(read) = self.reads.recv() {
            let event = match read {
                Read::Entries(Fetch { id, low, high, max_bytes }) => {
                    Some(Event::Fetched { id, entries: self.store.entries(low, high, max_bytes) })
                }
                Read::Snapshot(message) => self.snapshot(*message),
            };
            if let Some(event) = event {
                let _ = self.events.blocking_send(event);
            }
        }
    }

    fn snapshot(&self, message: Message) -> Option<Event> {
        match self.store.snapshot() {
            Ok(Some(stored)) => {
                let to = NodeId(message.to);
                let message = snapshot_message(message, &stored.meta);
                self.transport.send_snapshot(OutgoingSnapshot { to, message, data: stored.data });
                None
            }
            Ok(None) => Some(Event::NoSnapshot { peer: message.to }),
            Err(error) => Some(Event::Failed(RaftFailure::Read(error))),
        }
    }
}
