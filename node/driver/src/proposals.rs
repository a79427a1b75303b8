//! Proposals on their way into the log, and those in it whose fate is open.

use std::collections::BTreeMap;

use bytes::Bytes;
use raft::eraftpb::{ConfChangeV2, Entry, EntryType};

use crate::codec::encode;
use crate::id::{ProposalId, RequestId};
use crate::io::{Refusal, Reply};

/// What a client wants in the log.
#[derive(Debug)]
pub(crate) enum Proposal {
    Data(Bytes),
    ConfChange(ConfChangeV2),
}

impl Proposal {
    fn into_entry(self, id: ProposalId) -> Entry {
        let (entry_type, data) = match self {
            Self::Data(data) => (EntryType::EntryNormal, Vec::from(data)),
            Self::ConfChange(change) => (EntryType::EntryConfChangeV2, encode(&change)),
        };
        let mut entry = Entry { data, context: id.to_bytes().to_vec(), ..Entry::default() };
        entry.set_entry_type(entry_type);
        entry
    }
}

/// How much a leader takes now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Bytes of data.
    pub(crate) bytes: u64,
    /// Number of proposals in the log.
    pub(crate) proposals: usize,
    /// A change of members, at most one.
    pub(crate) conf_change: bool,
}

/// All proposals of this node that are not decided yet.
#[derive(Debug, Default)]
pub(crate) struct Proposals {
    /// Bounded by the caller, who drains its own bounded queue once a turn.
    queued: Vec<(ProposalId, Proposal)>,
    /// By index. Bounded by [`crate::Settings::proposals_max`].
    in_log: BTreeMap<u64, ProposalId>,
}

impl Proposals {
    pub(crate) fn queue(&mut self, id: ProposalId, proposal: Proposal) {
        self.queued.push((id, proposal));
    }

    pub(crate) fn any_queued(&self) -> bool {
        !self.queued.is_empty()
    }

    /// Refuses all that are queued.
    pub(crate) fn refuse(&mut self, why: Refusal, replies: &mut Vec<Reply>) {
        replies.extend(self.queued.drain(..).map(|(id, _)| Reply::Refused { id, why }));
    }

    /// The queued proposals that there is room for, as entries of one message; the others are refused.
    pub(crate) fn take(&mut self, mut room: Room, replies: &mut Vec<Reply>) -> Vec<Entry> {
        room.proposals = room.proposals.saturating_sub(self.in_log.len());
        let mut entries = Vec::with_capacity(self.queued.len());
        for (id, proposal) in self.queued.drain(..) {
            let changes = matches!(proposal, Proposal::ConfChange(_));
            if changes && !room.conf_change {
                replies.push(Reply::Refused { id, why: Refusal::ConfChangePending });
                continue;
            }
            let entry = proposal.into_entry(id);
            // raft-rs counts the data of what is uncommitted, so this does too.
            let bytes = u64::try_from(entry.data.len()).unwrap_or(u64::MAX);
            if room.proposals == 0 || bytes > room.bytes {
                replies.push(Reply::Refused { id, why: Refusal::Overloaded });
                continue;
            }
            room.bytes = room.bytes.saturating_sub(bytes);
            room.proposals = room.proposals.saturating_sub(1);
            room.conf_change &= !changes;
            entries.push(entry);
        }
        entries
    }

    /// The message with these ids was appended, the first at index `first`.
    pub(crate) fn appended(&mut self, ids: Vec<ProposalId>, first: u64) {
        self.in_log.extend((first..).zip(ids));
    }

    /// These entries are committed. A proposal with another's entry in its place is lost for certain; the applier
    /// answers for the others.
    pub(crate) fn committed(&mut self, entries: &[Entry], replies: &mut Vec<Reply>) {
        for entry in entries {
            let Some(id) = self.in_log.remove(&entry.index) else { continue };
            if RequestId::of_entry(entry) != Some(id) {
                replies.push(Reply::Refused { id, why: Refusal::LostLeadership });
            }
        }
    }

    /// A snapshot took the place of everything up to `index`: what became of the proposals there is not known here.
    pub(crate) fn jumped(&mut self, index: u64, replies: &mut Vec<Reply>) {
        let after = self.in_log.split_off(&index.saturating_add(1));
        let gone = std::mem::replace(&mut self.in_log, after);
        replies.extend(gone.into_values().map(|id| Reply::Unknown { id }));
    }
}
