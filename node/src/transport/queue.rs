//! The queue of one lane to one peer: bounded in number and in bytes, never waits, drops what does not fit.
//!
//! Loss is allowed here: Raft sends again. What must not happen is that a slow link holds the memory of the node.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;

/// Messages that may wait. raft-rs keeps at most 256 appends in flight for a peer (`max_inflight_msgs`); answers and
/// heartbeats come on top. Four times that is a lane that no longer moves.
const MESSAGES_MAX: usize = 1024;

/// Bytes that may wait: as many as raft-rs lets a leader have uncommitted (`max_uncommitted_size`).
const BYTES_MAX: u64 = 64 << 20;

/// Bytes after which a batch is sent; one message more may be in it. As long as one append may be
/// (`max_size_per_msg`): longer ones would only make the messages behind them wait.
const BATCH_BYTES: u64 = 1 << 20;

/// The sending end.
#[derive(Clone, Debug)]
pub(crate) struct LaneSender {
    sender: mpsc::Sender<Bytes>,
    bytes: Arc<AtomicU64>,
}

/// The receiving end.
#[derive(Debug)]
pub(crate) struct LaneReceiver {
    receiver: mpsc::Receiver<Bytes>,
    bytes: Arc<AtomicU64>,
}

/// A queue.
pub(crate) fn lane() -> (LaneSender, LaneReceiver) {
    let (sender, receiver) = mpsc::channel(MESSAGES_MAX);
    let bytes = Arc::new(AtomicU64::new(0));
    (LaneSender { sender, bytes: Arc::clone(&bytes) }, LaneReceiver { receiver, bytes })
}

impl LaneSender {
    /// Queues a message; false: it was dropped.
    pub(crate) fn push(&self, message: Bytes) -> bool {
        let size = size_of(&message);
        // Only this end adds, so the sum can be too high for a moment, never too low.
        if self.bytes.load(Ordering::Relaxed).saturating_add(size) > BYTES_MAX {
            return false;
        }
        self.bytes.fetch_add(size, Ordering::Relaxed);
        let queued = self.sender.try_send(message).is_ok();
        if !queued {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
        }
        queued
    }
}

impl LaneReceiver {
    /// Waits for a message and takes with it what else waits. Cancel-safe. None: the transport is gone.
    pub(crate) async fn next_batch(&mut self) -> Option<Vec<Bytes>> {
        let first = self.receiver.recv().await?;
        let mut total = size_of(&first);
        let mut batch = vec![first];
        while total < BATCH_BYTES {
            let Ok(message) = self.receiver.try_recv() else { break };
            total = total.saturating_add(size_of(&message));
            batch.push(message);
        }
        self.bytes.fetch_sub(total, Ordering::Relaxed);
        Some(batch)
    }

    /// Throws away what waits: it was meant for a connection that is no more.
    pub(crate) fn clear(&mut self) {
        while let Ok(message) = self.receiver.try_recv() {
            self.bytes.fetch_sub(size_of(&message), Ordering::Relaxed);
        }
    }
}

fn size_of(message: &Bytes) -> u64 {
    u64::try_from(message.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_leaves_as_one_batch_in_order() {
        let (sender, mut receiver) = lane();
        (0..10_u8).for_each(|value| assert!(sender.push(Bytes::from(vec![value]))));
        let batch = receiver.next_batch().await.unwrap();
        assert_eq!(batch.iter().map(|message| message[0]).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_batch_ends_behind_its_bytes() {
        let (sender, mut receiver) = lane();
        (0..3).for_each(|_| assert!(sender.push(Bytes::from(vec![0; 700_000]))));
        assert_eq!(receiver.next_batch().await.unwrap().len(), 2);
        assert_eq!(receiver.next_batch().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_full_queue_drops_and_has_room_again() {
        let (sender, mut receiver) = lane();
        let big = Bytes::from(vec![0; 32 << 20]);
        assert!(sender.push(big.clone()) && sender.push(big.clone()));
        assert!(!sender.push(Bytes::from_static(b"x")), "bytes are bounded");
        receiver.clear();
        (0..MESSAGES_MAX).for_each(|_| assert!(sender.push(Bytes::from_static(b"x"))));
        assert!(!sender.push(Bytes::from_static(b"x")), "the number is bounded");
        receiver.next_batch().await.unwrap();
        assert!(sender.push(big));
    }
}
