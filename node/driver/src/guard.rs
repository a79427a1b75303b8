//! What a message may say in the present state of this node: the second half of the protection against panics in
//! raft-rs, see `check.rs` for the first.

use raft::eraftpb::{Message, MessageType};

use crate::check::{BadMessage, check_message};
use crate::doubt::{Doubt, Verdict};
use crate::driver::Driver;

/// Reads of other nodes that a leader keeps; each node has at most four rounds under way, so more is an attack.
const PEER_READS_MAX: usize = 1024;

/// What to do with a message of the right shape.
enum Take {
    Step,
    /// Too late or too early to mean anything; normal after restarts.
    Drop,
}

impl Driver {
    pub(crate) fn receive(&mut self, from: u64, message: Message) -> Result<(), BadMessage> {
        check_message(&message, self.settings.id, from)?;
        let bad = |what| BadMessage { kind: message.msg_type, from, what };
        if let Take::Drop = self.judge(&message).map_err(bad)? {
            return Ok(());
        }
        // raft-rs refuses answers from nodes that it does not know; nothing came of it.
        let _ = self.raw.step(message);
        Ok(())
    }

    fn judge(&mut self, message: &Message) -> Result<Take, String> {
        let kind = message.get_msg_type();
        let raft = &self.raw.raft;
        let (term, last_index) = (raft.term, raft.raft_log.last_index());
        if self.doubt.is_some() && Doubt::ignores(message) {
            return Ok(Take::Drop);
        }
        let take = match kind {
            MessageType::MsgHeartbeat | MessageType::MsgAppend | MessageType::MsgSnapshot
                if message.term >= term =>
            {
                return self.judge_leader(message);
            }
            // More than one vote in this term's favour, before the disk holds what these votes are about.
            MessageType::MsgRequestVoteResponse | MessageType::MsgRequestPreVoteResponse => {
                self.log_is_durable()
            }
            MessageType::MsgTimeoutNow => {
                message.term == term && raft.leader_id == message.from && self.may_campaign()
            }
            MessageType::MsgReadIndex => self.is_leader() && raft.pending_read_count() < PEER_READS_MAX,
            MessageType::MsgAppendResponse if self.is_leader() && message.term == term => {
                if message.index > last_index || message.reject_hint > last_index {
                    let index = message.index.max(message.reject_hint);
                    return Err(format!("speaks of index {index}, the log ends at {last_index}"));
                }
                true
            }
            _ => true,
        };
        Ok(if take { Take::Step } else { Take::Drop })
    }

    /// A message from the leader of this term or a later one.
    fn judge_leader(&mut self, message: &Message) -> Result<Take, String> {
        let raft = &self.raw.raft;
        if message.term == raft.term && self.leader().is_some_and(|leader| leader != message.from) {
            return Err(format!("leads term {} as {} does", message.term, raft.leader_id));
        }
        let last_index = raft.raft_log.last_index();
        let follows = raft.raft_log.match_term(message.index, message.log_term);
        if let Some(doubt) = &mut self.doubt
            && doubt.hear(message, last_index, follows) == Verdict::Outdate
        {
            let next = message.term.max(raft.term).saturating_add(1);
            self.raw.raft.become_follower(next, raft::INVALID_ID);
            return Ok(Take::Step);
        }
        if message.get_msg_type() == MessageType::MsgHeartbeat && message.commit > last_index {
            return Err(format!("commits {}, the log ends at {last_index}", message.commit));
        }
        Ok(Take::Step)
    }
}
