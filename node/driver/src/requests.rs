//! What waits for the end of a turn: proposals, which become one message, and reads, which become one round.

use raft::eraftpb::{Entry, Message, MessageType};

use crate::driver::Driver;
use crate::id::RequestId;
use crate::io::{Refusal, Reply};
use crate::proposals::Room;

impl Driver {
    pub(crate) fn flush_proposals(&mut self) {
        if !self.proposals.any_queued() {
            return;
        }
        let raft = &self.raw.raft;
        let refusal = if !self.is_leader() {
            Some(Refusal::NotLeader { leader: self.leader() })
        } else if self.disk_is_stuck() {
            Some(Refusal::DiskStuck)
        } else {
            raft.lead_transferee.map(|_| Refusal::Transferring)
        };
        if let Some(why) = refusal {
            return self.proposals.refuse(why, &mut self.out.replies);
        }
        let uncommitted = u64::try_from(raft.uncommitted_size()).unwrap_or(u64::MAX);
        let room = Room {
            bytes: self.settings.uncommitted_bytes_max.saturating_sub(uncommitted),
            proposals: self.settings.proposals_max,
            conf_change: !raft.has_pending_conf() && self.raw.store().conf_state().voters_outgoing.is_empty(),
        };
        let entries = self.proposals.take(room, &mut self.out.replies);
        self.append(entries);
    }

    /// Reads wait here until the first commit of the term is known: raft-rs drops them silently at a leader that has none,
    /// and a round that a follower asked for in vain is noticed only by its timeout.
    pub(crate) fn flush_reads(&mut self) {
        if self.leader().is_none() {
            self.reads.refuse_queued(Refusal::NotLeader { leader: None }, &mut self.out.replies);
            return;
        }
        if self.raw.raft.commit_to_current_term()
            && let Some(context) = self.reads.begin()
        {
            self.raw.read_index(context.to_bytes().to_vec());
        }
    }

    /// To `to`, or to the voter that has most of the log among those heard from lately.
    pub(crate) fn transfer(&mut self, to: Option<u64>) {
        if !self.is_leader() {
            return;
        }
        let prs = self.raw.raft.prs();
        let others =
            prs.iter().filter(|(id, _)| **id != self.settings.id && prs.conf().voters().contains(**id));
        let best = others.max_by_key(|(id, progress)| (progress.recent_active, progress.matched, **id));
        if let Some(to) = to.or(best.map(|(id, _)| *id)) {
            self.raw.transfer_leader(to);
        }
    }

    /// All proposals of this turn as one message, so that they use one place in the window of each follower.
    fn append(&mut self, entries: Vec<Entry>) {
        if entries.is_empty() {
            return;
        }
        let ids: Vec<_> = entries.iter().filter_map(RequestId::of_entry).collect();
        let first = self.raw.raft.raft_log.last_index().saturating_add(1);
        let mut message = Message { from: self.settings.id, entries, ..Message::default() };
        message.set_msg_type(MessageType::MsgPropose);
        if self.raw.step(message).is_ok() {
            self.proposals.appended(ids, first);
        } else {
            // There is room and no transfer; the last reason to drop them is that this node is no member any more.
            let why = Refusal::NotLeader { leader: None };
            self.out.replies.extend(ids.into_iter().map(|id| Reply::Refused { id, why }));
        }
    }
}
