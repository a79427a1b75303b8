//! One Ready of raft-rs: readable in memory at once, written beside the loop, and nothing sent too early.

use raft::Ready;
use raft::eraftpb::{Entry, Message, MessageType};

use crate::disk::{Pending, Promise};
use crate::doubt::Doubt;
use crate::driver::{Driver, snapshot_of};
use crate::io::Apply;
use crate::log::Write;
use crate::view::size;

impl Driver {
    /// Takes the next Ready apart. From `ready` to `advance_append_async` nothing else touches the RawNode.
    pub(crate) fn ready(&mut self) {
        let most = if self.backlog_full() { 0 } else { self.settings.apply_bytes_max };
        self.raw.raft.set_max_committed_size_per_ready(most);
        let mut ready = self.raw.ready();
        for read in ready.take_read_states() {
            self.reads.confirm(&read.request_ctx, read.index);
        }
        let (messages, after_write) = (ready.take_messages(), ready.take_persisted_messages());
        self.hand_on(ready.take_committed_entries());
        let (write, pending) = self.prepare_write(&mut ready);
        let (number, must_sync) = (ready.number(), ready.must_sync());
        self.raw.advance_append_async(ready);

        if must_sync {
            self.begin_write(write, pending);
        } else if write.hard_state.is_some() {
            // Only the commit index: no fsync, and nothing waits for it.
            let number = self.disk.next_number();
            self.put_out(Write { number, ..write });
        }
        match self.disk.newest() {
            Some(newest) => newest.ready = number,
            None => self.raw.on_persist_ready(number),
        }
        let promise = Promise::from(&self.raw.raft.hard_state());
        let promised = self.disk.holds(promise);
        for message in messages {
            self.send(message, promised);
        }
        for message in after_write {
            // An answer to a heartbeat says only that this node is alive in this term; a read's question says nothing.
            let free = matches!(
                message.get_msg_type(),
                MessageType::MsgHeartbeatResponse | MessageType::MsgReadIndex
            );
            self.send(message, free && promised);
        }
    }

    /// What the Ready has to be written, now readable through the view.
    fn prepare_write(&mut self, ready: &mut Ready) -> (Write, Pending) {
        let mut write = Write { hard_state: ready.hs().cloned(), ..Write::default() };
        let mut pending = Pending { promise: ready.hs().map(Promise::from), ..Pending::default() };
        if !ready.snapshot().is_empty() {
            let snapshot = snapshot_of(ready.snapshot());
            let meta = snapshot.meta.clone();
            self.proposals.jumped(meta.position.index, &mut self.out.replies);
            self.handed = meta.position.index;
            self.raw.mut_store().install(&meta);
            pending.snapshot = Some((meta.clone(), meta.position));
            pending.restore = Some(snapshot.clone());
            write.install = Some(snapshot);
        }
        write.entries = ready.take_entries();
        self.raw.mut_store().append(&write.entries);
        (write, pending)
    }

    fn hand_on(&mut self, entries: Vec<Entry>) {
        let Some(last) = entries.last() else { return };
        self.handed = last.index;
        let bytes = entries.iter().map(size).sum();
        self.backlog.push_back((last.index, bytes));
        self.backlog_bytes = self.backlog_bytes.saturating_add(bytes);
        self.proposals.committed(&entries, &mut self.out.replies);
        self.out.apply.push(Apply::Entries(entries));
    }

    /// Sends now, or after the newest write; without one everything is durable.
    fn send(&mut self, mut message: Message, now: bool) {
        if self.doubt.is_some() {
            Doubt::soften(&mut message, self.raw.raft.raft_log.committed);
        }
        match self.disk.newest() {
            Some(newest) if !now => newest.messages.push(message),
            _ => self.route(message),
        }
    }

    pub(crate) fn route(&mut self, message: Message) {
        if message.get_msg_type() == MessageType::MsgSnapshot {
            self.out.snapshots.push(message);
        } else {
            self.out.messages.push(message);
        }
    }
}
