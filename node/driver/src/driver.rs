//! The driver: one input at a time in, everything that has to be done out.

use std::collections::VecDeque;

use raft::eraftpb::{ConfChangeV2, ConfState};
use raft::{RawNode, SnapshotStatus, StateRole};

use crate::check::BadMessage;
use crate::disk::{Disk, Pending};
use crate::doubt::Doubt;
use crate::io::{Apply, Compact, Input, Outputs, StateChange};
use crate::log::{BOOTSTRAP, Compaction, LogError, LogPosition, SnapshotMeta, StoredSnapshot, Write};
use crate::proposals::{Proposal, Proposals};
use crate::reads::Reads;
use crate::settings::{DriverError, Settings};
use crate::status::Role;
use crate::view::View;

/// raft-rs driven by inputs and outputs. See the crate's documentation for what the caller must do, and in which order.
pub struct Driver {
    pub(crate) settings: Settings,
    pub(crate) election_ticks: u64,
    pub(crate) raw: RawNode<View>,
    pub(crate) disk: Disk,
    /// Set while the store is in doubt.
    pub(crate) doubt: Option<Doubt>,
    pub(crate) proposals: Proposals,
    pub(crate) reads: Reads,
    /// Last index handed to the applier. Invariant: `applied <= handed <= committed`.
    pub(crate) handed: u64,
    /// What the applier has not reported yet: last index and bytes of each batch.
    pub(crate) backlog: VecDeque<(u64, u64)>,
    /// Invariant: the sum of the bytes in `backlog`.
    pub(crate) backlog_bytes: u64,
    /// As put out last.
    pub(crate) state: StateChange,
    /// Gathers until the next poll.
    pub(crate) out: Outputs,
}

impl Driver {
    /// Takes one input. Cheap: proposals and reads only queue until [`Driver::poll`], so drain all that waits first.
    /// Errors: only for a message, which then changed nothing; worth a line in the audit log.
    pub fn step(&mut self, input: Input) -> Result<(), BadMessage> {
        match input {
            Input::Tick => self.tick(),
            Input::Message { from, message } => return self.receive(from, message),
            Input::Propose { id, data } => self.proposals.queue(id, Proposal::Data(data)),
            Input::ProposeConfChange { id, change } => {
                self.proposals.queue(id, Proposal::ConfChange(change));
            }
            Input::Read { id } => self.reads.queue(id, &mut self.out.replies),
            Input::Persisted { number } => self.persisted(number),
            Input::Applied { index } => self.applied(index),
            Input::Fetched { id, entries } => self.fetched(id, entries),
            Input::Unreachable { peer } => self.raw.report_unreachable(peer),
            Input::SnapshotSent { peer, ok } => {
                let status = if ok { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
                self.raw.report_snapshot(peer, status);
            }
            Input::TransferLeader { to } => self.transfer(to),
            Input::Compact(compact) => self.compact(compact),
        }
        Ok(())
    }

    /// What to do now. Call it after draining the inputs, and again while [`Outputs::more`] is set.
    pub fn poll(&mut self) -> Outputs {
        self.note_state();
        self.flush_proposals();
        self.flush_reads();
        if self.raw.has_ready() {
            self.ready();
        }
        self.note_state();
        self.end_doubt();
        self.reads.applied(self.raw.raft.raft_log.applied, &mut self.out.replies);
        let upto = self.handed.min(self.raw.raft.raft_log.persisted);
        let tail_bytes_max = self.settings.tail_bytes_max;
        let view = self.raw.mut_store();
        view.trim(upto, tail_bytes_max);
        self.out.fetches.append(&mut view.take_fetches());
        self.out.want_snapshot |= view.take_want_snapshot();
        self.out.more = self.raw.has_ready() && !self.backlog_full();
        std::mem::take(&mut self.out)
    }

    /// Makes a committed change of members effective; called when the applier reaches its entry. The next poll puts
    /// out a [`Write`] with the new members: report the entry as applied only after that write.
    pub fn apply_conf_change(&mut self, change: &ConfChangeV2) -> Result<ConfState, DriverError> {
        let conf_state = self.raw.apply_conf_change(change)?;
        if self.is_leader() && self.raw.raft.prs().get(self.settings.id).is_none() {
            // raft-rs leaves a leader that removed itself in office and panics at its next fsync.
            let term = self.raw.raft.term;
            self.raw.raft.become_follower(term, raft::INVALID_ID);
        }
        self.raw.mut_store().set_conf_state(conf_state.clone());
        let write = Write { conf_state: Some(conf_state.clone()), ..Write::default() };
        self.begin_write(write, Pending::default());
        Ok(conf_state)
    }

    pub(crate) fn is_leader(&self) -> bool {
        self.raw.raft.state == StateRole::Leader
    }

    pub(crate) fn leader(&self) -> Option<u64> {
        Some(self.raw.raft.leader_id).filter(|id| *id != raft::INVALID_ID)
    }

    /// The oldest write waits longer than one election timeout.
    pub(crate) fn disk_is_stuck(&self) -> bool {
        self.disk.wait_ticks() > self.election_ticks
    }

    /// Puts out a write that needs an fsync, and what waits for it.
    pub(crate) fn begin_write(&mut self, write: Write, pending: Pending) {
        let number = self.disk.next_number();
        self.put_out(Write { number, must_sync: true, ..write });
        self.disk.begin(Pending { write: number, ..pending });
    }

    pub(crate) fn put_out(&mut self, write: Write) {
        match &mut self.out.write {
            Some(waiting) => waiting.merge(write),
            none => *none = Some(write),
        }
    }

    pub(crate) fn backlog_full(&self) -> bool {
        self.backlog_bytes > self.settings.apply_backlog_bytes_max
    }

    fn tick(&mut self) {
        self.disk.tick();
        self.reads.tick(&mut self.out.replies);
        if let Some(doubt) = &mut self.doubt {
            doubt.tick();
        }
        if self.is_leader() {
            self.raw.tick();
            if self.disk_is_stuck() && self.raw.raft.lead_transferee.is_none() {
                self.transfer(None);
            }
            return;
        }
        // Only a follower's or candidate's tick can make it campaign.
        if self.may_campaign() {
            self.raw.tick();
        }
    }

    /// Not in doubt, not with a stuck disk; nor where raft-rs would panic: a sole voter wins at once and needs its
    /// whole log durable then, and a log that starts after a snapshot needs that snapshot applied.
    pub(crate) fn may_campaign(&self) -> bool {
        let sole_unready = self.raw.raft.prs().is_singleton() && !self.log_is_durable();
        let restored = self.raw.raft.raft_log.applied >= self.raw.store().truncated().index;
        self.doubt.is_none() && !self.disk_is_stuck() && !sole_unready && restored
    }

    /// No write is under way, and nothing waits to be written.
    pub(crate) fn log_is_durable(&self) -> bool {
        let log = &self.raw.raft.raft_log;
        self.disk.is_idle() && log.persisted == log.last_index()
    }

    /// Order matters: raft-rs must know of the write before an answer to what waits for it can come in.
    fn persisted(&mut self, number: u64) {
        let mut ready = 0;
        let mut messages = Vec::new();
        let mut restore = None;
        while let Some(done) = self.disk.finish(number) {
            ready = ready.max(done.ready);
            messages.extend(done.messages);
            if let Some((meta, truncate)) = done.snapshot {
                self.raw.mut_store().compacted(meta, truncate);
            }
            restore = done.restore.or(restore);
        }
        self.raw.on_persist_ready(ready);
        self.out.messages.append(&mut messages);
        match restore {
            Some(snapshot) if snapshot.meta.position == BOOTSTRAP => self.applied(BOOTSTRAP.index),
            Some(snapshot) => self.out.apply.push(Apply::Restore(snapshot)),
            None => {}
        }
    }

    fn applied(&mut self, index: u64) {
        while let Some((last, bytes)) = self.backlog.front().copied()
            && last <= index
        {
            self.backlog.pop_front();
            self.backlog_bytes = self.backlog_bytes.saturating_sub(bytes);
        }
        let log = &self.raw.raft.raft_log;
        if index > log.applied && index <= log.committed.min(log.persisted) {
            self.raw.advance_apply_to(index);
        }
    }

    fn fetched(&mut self, id: u64, entries: Result<Vec<raft::eraftpb::Entry>, LogError>) {
        // Without entries raft-rs asks again, and gets a snapshot if they were truncated meanwhile. A disk that
        // cannot read is for the caller to notice, who got the error first.
        let contexts = self.raw.mut_store().fetched(id, entries.unwrap_or_default());
        for context in contexts {
            self.raw.on_entries_fetched(context);
        }
        self.raw.mut_store().forget_fetched();
    }

    /// One at a time: what is truncated by a write under way is not known to the view yet.
    fn compact(&mut self, compact: Compact) {
        if self.disk.writes_snapshot() {
            return;
        }
        let view = self.raw.store();
        let applied = self.raw.raft.raft_log.applied;
        let position = view.position(compact.index).filter(|at| at.index <= applied);
        let Some(position) = position.filter(|at| at.index > view.snapshot_index()) else { return };
        let cut = compact.index.saturating_sub(compact.keep).max(view.truncated().index);
        let Some(truncate) = view.position(cut) else { return };
        let meta = SnapshotMeta { position, conf_state: compact.conf_state };
        let snapshot = StoredSnapshot { meta: meta.clone(), data: compact.data };
        let write = Write { compaction: Some(Compaction { snapshot, truncate }), ..Write::default() };
        self.begin_write(write, Pending { snapshot: Some((meta, truncate)), ..Pending::default() });
    }

    /// raft-rs forgets all rounds when the leader or its term changes.
    fn note_state(&mut self) {
        let raft = &self.raw.raft;
        let now = StateChange { role: Role::from(raft.state), term: raft.term, leader: self.leader() };
        if now != self.state {
            self.state = now;
            self.out.state = Some(now);
            self.reads.lose_rounds(&mut self.out.replies);
        }
    }

    fn end_doubt(&mut self) {
        let raft = &self.raw.raft;
        let (committed, persisted) = (raft.raft_log.committed, raft.raft_log.persisted);
        let own_term = raft.commit_to_current_term();
        let over = |doubt: &Doubt| doubt.is_over(raft.term, own_term, committed, persisted);
        if self.doubt.as_ref().is_some_and(over) {
            self.doubt = None;
            self.begin_write(Write { clear_in_doubt: true, ..Write::default() }, Pending::default());
        }
    }
}

/// The whole log from here on is what the snapshot says.
pub(crate) fn snapshot_of(snapshot: &raft::eraftpb::Snapshot) -> StoredSnapshot {
    let metadata = snapshot.get_metadata();
    let position = LogPosition { index: metadata.index, term: metadata.term };
    let conf_state = metadata.get_conf_state().clone();
    StoredSnapshot { meta: SnapshotMeta { position, conf_state }, data: snapshot.data.clone().into() }
}
