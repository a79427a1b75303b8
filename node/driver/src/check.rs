//! What a message from a peer must look like before raft-rs sees it; most rules here stand for a panic there.
//!
//! Only the shape: what depends on the log or the role is checked by the driver, see `guard.rs`.

use std::collections::BTreeSet;

use raft::eraftpb::{ConfState, EntryType, Message, MessageType};
use thiserror::Error;

use crate::id::RequestId;

/// Terms and indexes beyond this are not taken: raft-rs adds to them without a check. A cluster that makes a billion
/// entries a second needs 146 years for as many.
const NUMBER_MAX: u64 = 1 << 62;

/// Why a message was refused. It changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("message of type {kind} from {from}: {what}")]
pub struct BadMessage {
    /// Number of its type.
    pub kind: i32,
    /// Id of the peer that sent it, by its certificate.
    pub from: u64,
    /// What is wrong, and what would be right.
    pub what: String,
}

/// Checks the shape of a message that the peer `expected_from` (by its certificate) sent to `self_id`. What depends
/// on the state of the log is checked by [`crate::Driver::step`], which calls this too.
pub fn check_message(message: &Message, self_id: u64, expected_from: u64) -> Result<(), BadMessage> {
    shape(message, self_id, expected_from).map_err(|what| BadMessage {
        kind: message.msg_type,
        from: expected_from,
        what,
    })
}

fn shape(message: &Message, self_id: u64, expected_from: u64) -> Result<(), String> {
    let kind = MessageType::from_i32(message.msg_type).ok_or("no such type")?;
    if message.from != expected_from || expected_from == self_id || expected_from == 0 {
        return Err(format!("says it is from {}, the peer is {expected_from}", message.from));
    }
    if message.to != self_id {
        return Err(format!("is for {}, this node is {self_id}", message.to));
    }
    numbers(message)?;
    if message.request_snapshot != 0 {
        return Err("asks for a snapshot, which no node here does".into());
    }
    match kind {
        MessageType::MsgAppend => entries(message),
        MessageType::MsgSnapshot => snapshot(message),
        MessageType::MsgReadIndex | MessageType::MsgReadIndexResp => read(message, kind),
        MessageType::MsgAppendResponse
        | MessageType::MsgRequestVote
        | MessageType::MsgRequestVoteResponse
        | MessageType::MsgHeartbeat
        | MessageType::MsgHeartbeatResponse
        | MessageType::MsgTimeoutNow
        | MessageType::MsgRequestPreVote
        | MessageType::MsgRequestPreVoteResponse => bare(message),
        MessageType::MsgHup
        | MessageType::MsgBeat
        | MessageType::MsgPropose
        | MessageType::MsgUnreachable
        | MessageType::MsgSnapStatus
        | MessageType::MsgCheckQuorum
        | MessageType::MsgTransferLeader => Err("is of a type that no peer may send".into()),
    }
}

fn numbers(message: &Message) -> Result<(), String> {
    let all = [
        ("term", message.term),
        ("log_term", message.log_term),
        ("index", message.index),
        ("commit", message.commit),
        ("commit_term", message.commit_term),
        ("reject_hint", message.reject_hint),
    ];
    if let Some((name, value)) = all.iter().find(|(_, value)| *value > NUMBER_MAX) {
        return Err(format!("{name} is {value}, at most {NUMBER_MAX} is taken"));
    }
    // raft-rs takes term 0 for a local message and compares it with terms of entries that are not there.
    let local = message.msg_type == i32::from(MessageType::MsgReadIndex);
    if (message.term == 0) != local {
        return Err(format!("has term {}, which is 0 in MsgReadIndex only", message.term));
    }
    Ok(())
}

fn entries(message: &Message) -> Result<(), String> {
    if (message.index == 0) != (message.log_term == 0) || message.log_term > message.term {
        return Err(format!("follows index {} of term {}", message.index, message.log_term));
    }
    let (mut index, mut term) = (message.index, message.log_term.max(1));
    for entry in &message.entries {
        index = index.saturating_add(1);
        if entry.index != index {
            return Err(format!("has entry {} in the place of {index}", entry.index));
        }
        if entry.term < term || entry.term > message.term {
            return Err(format!("has term {} in entry {index}, allowed is {term} to its own", entry.term));
        }
        if EntryType::from_i32(entry.entry_type).is_none() {
            return Err(format!("has entry {index} of unknown type {}", entry.entry_type));
        }
        term = entry.term;
    }
    no_snapshot(message)
}

fn snapshot(message: &Message) -> Result<(), String> {
    let Some(metadata) = message.snapshot.as_ref().and_then(|snapshot| snapshot.metadata.as_ref()) else {
        return Err("has no snapshot or no metadata".into());
    };
    if metadata.index == 0
        || metadata.index > NUMBER_MAX
        || metadata.term == 0
        || metadata.term > message.term
    {
        return Err(format!("has a snapshot at index {} of term {}", metadata.index, metadata.term));
    }
    members(metadata.conf_state.as_ref().unwrap_or(&ConfState::default()))?;
    no_entries(message)
}

/// What raft-rs can restore from and get the same members back.
pub(crate) fn members(conf: &ConfState) -> Result<(), String> {
    let set = |ids: &[u64]| -> Result<BTreeSet<u64>, String> {
        let set: BTreeSet<u64> = ids.iter().copied().collect();
        if set.len() != ids.len() || set.contains(&0) {
            return Err(format!("has members {ids:?}, each id once and none 0 is right"));
        }
        Ok(set)
    };
    let (voters, learners) = (set(&conf.voters)?, set(&conf.learners)?);
    let (outgoing, next) = (set(&conf.voters_outgoing)?, set(&conf.learners_next)?);
    let learner_votes = !learners.is_disjoint(&voters) || !learners.is_disjoint(&outgoing);
    let joint_only = outgoing.is_empty() && (conf.auto_leave || !next.is_empty());
    if voters.is_empty()
        || learner_votes
        || joint_only
        || !next.is_subset(&outgoing)
        || !next.is_disjoint(&voters)
    {
        return Err(format!("has members that contradict each other: {conf:?}"));
    }
    Ok(())
}

fn read(message: &Message, kind: MessageType) -> Result<(), String> {
    let [entry] = message.entries.as_slice() else {
        return Err(format!("has {} entries, 1 is right", message.entries.len()));
    };
    // A request comes from the node that made it; an answer names this node, which the driver looks up.
    match RequestId::from_bytes(&entry.data) {
        Some(id) if kind == MessageType::MsgReadIndexResp || u64::from(id.node) == message.from => {
            no_snapshot(message)
        }
        _ => Err("has a context that is not an id of its sender".into()),
    }
}

fn bare(message: &Message) -> Result<(), String> {
    // The longest context is CampaignTransfer (16 bytes); ids have 16 as well.
    if message.context.len() > 16 {
        return Err(format!("has a context of {} bytes, at most 16 is right", message.context.len()));
    }
    no_entries(message)?;
    no_snapshot(message)
}

fn no_entries(message: &Message) -> Result<(), String> {
    if message.entries.is_empty() { Ok(()) } else { Err("has entries".into()) }
}

fn no_snapshot(message: &Message) -> Result<(), String> {
    if message.snapshot.is_none() { Ok(()) } else { Err("has a snapshot".into()) }
}
