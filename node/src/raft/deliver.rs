//! Hands on what the driver put out, in the order that it asks for.

use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender};

use farquorum_config::NodeId;
use farquorum_driver::{
    Input, LogError, Outputs, Refusal, Reply, RequestId, Role as DriverRole, StateChange, Status,
};

use super::event::{RaftFailure, Work};
use super::handle::{Leader, Progress, RaftError, RaftStatus, Role};
use super::mailbox::Mailbox;
use super::message::outgoing;
use super::reader::Read;
use super::run::Loop;
use crate::transport::Transport;

/// Everybody that the loop hands something to. None of them is ever waited for.
pub(super) struct Outside {
    pub(super) mailbox: Arc<Mailbox>,
    /// Bounded by the driver: it stops at `apply_backlog_bytes_max` bytes of entries that are not applied.
    pub(super) applier: Option<Sender<Work>>,
    pub(super) reader: Option<SyncSender<Read>>,
    pub(super) transport: Arc<dyn Transport>,
}

impl Outside {
    /// The threads finish what they have and end.
    pub(super) fn close(&mut self) {
        self.mailbox.close();
        self.applier = None;
        self.reader = None;
    }

    fn apply(&self, work: Work) {
        // The applier ends before the loop only after it has reported why.
        if let Some(applier) = &self.applier {
            let _ = applier.send(work);
        }
    }

    fn read(&self, read: Read) -> bool {
        self.reader.as_ref().is_some_and(|reader| reader.try_send(read).is_ok())
    }
}

impl Loop {
    /// Polls the driver until it has no more to do.
    pub(super) fn turn(&mut self) -> Result<(), RaftFailure> {
        loop {
            let out = self.driver.poll();
            let more = out.more;
            self.deliver(out);
            if !more {
                break;
            }
        }
        self.publish();
        Ok(())
    }

    fn deliver(&mut self, out: Outputs) {
        if let Some(write) = out.write {
            if let Some(changing) = &mut self.changing {
                changing.write.get_or_insert(write.number);
            }
            self.outside.mailbox.put(write);
        }
        if !out.messages.is_empty() {
            let extend = self.release.extend_message;
            self.outside.transport.send(out.messages.iter().map(|it| outgoing(it, extend)).collect());
        }
        for message in out.snapshots {
            let peer = message.to;
            if !self.outside.read(Read::Snapshot(Box::new(message))) {
                self.input(Input::SnapshotSent { peer, ok: false });
            }
        }
        for apply in out.apply {
            self.outside.apply(Work::Apply(apply));
        }
        out.replies.into_iter().for_each(|reply| self.reply(reply));
        for fetch in out.fetches {
            if !self.outside.read(Read::Entries(fetch)) {
                let entries = Err(LogError::Missing { index: fetch.low, last: 0 });
                self.input(Input::Fetched { id: fetch.id, entries });
            }
        }
        if out.want_snapshot {
            self.outside.apply(Work::Snapshot);
        }
        if let Some(change) = out.state {
            self.state_changed(change);
        }
    }

    fn reply(&mut self, reply: Reply) {
        match reply {
            Reply::ReadReady { id, .. } => self.answer_read(id, Ok(())),
            Reply::Unknown { id } => {
                if let Some(waiting) = self.pending.take(id) {
                    let _ = waiting.reply.send(Err(RaftError::LostLeadership(self.leader)));
                }
            }
            Reply::Refused { id, why } => {
                let error = self.refusal(why);
                match self.pending.take(id) {
                    Some(waiting) => {
                        self.metrics.refused.inc();
                        let _ = waiting.reply.send(Err(error));
                    }
                    None => self.answer_read(id, Err(error)),
                }
            }
        }
    }

    fn answer_read(&mut self, id: RequestId, answer: Result<(), RaftError>) {
        if let Some(reply) = self.reads.remove(&id) {
            let _ = reply.send(answer);
        }
    }

    /// All of these mean: certainly nothing was done.
    fn refusal(&self, why: Refusal) -> RaftError {
        let nobody = Leader { id: None, term: self.leader.term };
        match why {
            Refusal::NotLeader { leader } => {
                RaftError::NotLeader(Leader { id: leader.map(NodeId), ..nobody })
            }
            Refusal::LostLeadership => RaftError::NotLeader(self.leader),
            Refusal::Transferring => RaftError::NotLeader(nobody),
            Refusal::ReadTimeout => RaftError::Deadline,
            Refusal::DiskStuck => {
                let waits = self.ticks(self.driver.status().disk_wait_ticks);
                RaftError::DiskStuck { for_ms: u64::try_from(waits.as_millis()).unwrap_or(u64::MAX) }
            }
            Refusal::Overloaded | Refusal::ConfChangePending => self.pending.overloaded(),
        }
    }

    /// Every change of role, term or leader, once (NODE-11).
    fn state_changed(&mut self, change: StateChange) {
        let role = role(change.role);
        if change.term > self.leader.term && role != Role::Follower && change.role != DriverRole::PreCandidate
        {
            self.elections = self.elections.saturating_add(1);
        }
        self.leader = Leader { id: change.leader.map(NodeId), term: change.term };
        let index = self.driver.status().last_index;
        tracing::info!(
            node = self.me.0, term = change.term, index, role = ?change.role, leader = ?change.leader,
            "raft state changed"
        );
        if let Some(successor) = self.leader.id.filter(|id| *id != self.me) {
            for (_, reply) in self.transfers.drain(..) {
                let _ = reply.send(Ok(successor));
            }
        }
    }

    fn publish(&mut self) {
        let status = status(&self.driver.status(), self.elections);
        self.metrics.show(&status);
        self.status.send_if_modified(|shown| {
            let changed = *shown != status;
            *shown = status;
            changed
        });
    }
}

fn role(role: DriverRole) -> Role {
    match role {
        DriverRole::Follower => Role::Follower,
        DriverRole::PreCandidate | DriverRole::Candidate => Role::Candidate,
        DriverRole::Leader => Role::Leader,
    }
}

fn status(driver: &Status, elections: u64) -> RaftStatus {
    let nodes = |ids: &[u64]| ids.iter().copied().map(NodeId).collect();
    let progress = driver.peers.iter().map(|peer| Progress {
        id: NodeId(peer.id),
        matched: peer.matched,
        active: peer.active,
        voter: peer.voter,
    });
    RaftStatus {
        role: role(driver.role),
        leader: Leader { id: driver.leader.map(NodeId), term: driver.term },
        committed: driver.committed,
        applied: driver.applied,
        first_index: driver.truncated.saturating_add(1),
        last_index: driver.last_index,
        voters: nodes(&driver.conf_state.voters),
        learners: nodes(&driver.conf_state.learners),
        progress: progress.collect(),
        elections,
        in_doubt: driver.in_doubt,
    }
}
