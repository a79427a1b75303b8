//! Inputs and outputs of the driver.

use bytes::Bytes;
use raft::eraftpb::{ConfState, Entry, Message};

use crate::id::{ProposalId, RequestId};
use crate::log::{LogError, StoredSnapshot, Write};
use crate::status::Role;

/// Something that happened outside.
#[derive(Debug)]
pub enum Input {
    /// One tick of the clock went by (1/10 of an election timeout with the defaults). A missed tick is never made up.
    Tick,
    /// A message came from the peer whose certificate says `from`.
    Message {
        /// Id of the peer, from its certificate.
        from: u64,
        /// What it sent; a `MsgSnapshot` whole, after its checksum was verified.
        message: Message,
    },
    /// A client wants this in the log.
    Propose {
        /// Its id; never used before.
        id: ProposalId,
        /// What to put in the log.
        data: Bytes,
    },
    /// A client wants to read what is committed by now.
    Read {
        /// Its id; never used before.
        id: RequestId,
    },
    /// The writer has made the batch with this number, and all before it, durable.
    Persisted {
        /// [`Write::number`] of the newest.
        number: u64,
    },
    /// The applier has applied everything up to this index (or restored the snapshot with it).
    Applied {
        /// The index.
        index: u64,
    },
    /// Answer to a [`Fetch`].
    Fetched {
        /// [`Fetch::id`].
        id: u64,
        /// What [`crate::LogStore::entries`] gave.
        entries: Result<Vec<Entry>, LogError>,
    },
    /// The stream to this peer broke; once per break.
    Unreachable {
        /// The peer.
        peer: u64,
    },
    /// A snapshot was delivered, or not (also: timed out, none stored). Always told for each of [`Outputs::snapshots`].
    SnapshotSent {
        /// The peer.
        peer: u64,
        /// It was delivered whole.
        ok: bool,
    },
    /// Hand leadership over: to this voter, or to the most caught-up active one. Ignored when not leading.
    TransferLeader {
        /// Whom to; none: the best.
        to: Option<u64>,
    },
    /// Own state as a snapshot, to keep and to shorten the log with. Ignored while another snapshot is being written,
    /// and when it is not newer than the stored one.
    Compact(Compact),
    /// Put a change of members into the log ([`raft::eraftpb::ConfChangeV2`], encoded); answered like a proposal.
    ProposeConfChange {
        /// Its id.
        id: ProposalId,
        /// The change.
        change: raft::eraftpb::ConfChangeV2,
    },
}

/// Own state as a snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Compact {
    /// Last index that the state holds; at most the applied one.
    pub index: u64,
    /// Members as of that index.
    pub conf_state: ConfState,
    /// The state.
    pub data: Bytes,
    /// Entries to keep before `index` for followers that are behind; the log is cut at `index - keep`.
    pub keep: u64,
}

/// What to do now. The order of the fields is the order to hand them on; see the crate's documentation.
#[derive(Debug, Default)]
pub struct Outputs {
    /// For the one writer, which may merge what waits.
    pub write: Option<Write>,
    /// Send now, in this order for each peer.
    pub messages: Vec<Message>,
    /// `MsgSnapshot` without data: send the newest stored snapshot ([`crate::LogStore::snapshot`], its meta put into
    /// the message) on a connection of its own, then report [`Input::SnapshotSent`].
    pub snapshots: Vec<Message>,
    /// For the one applier, in this order.
    pub apply: Vec<Apply>,
    /// Requests that end here.
    pub replies: Vec<Reply>,
    /// Read these from the store, beside the loop.
    pub fetches: Vec<Fetch>,
    /// A follower needs a snapshot and there is none that it could use (it joined later): make one of the state as it
    /// is now and send [`Input::Compact`].
    pub want_snapshot: bool,
    /// Role, term or leader changed.
    pub state: Option<StateChange>,
    /// There is more to do at once: poll again, with or without new inputs.
    pub more: bool,
}

/// For the applier.
#[derive(Clone, Debug, PartialEq)]
pub enum Apply {
    /// Replace the whole state by this snapshot; it is durable in the log store already.
    Restore(StoredSnapshot),
    /// Apply these; the proposal's id is [`RequestId::of_entry`]. Entries without data are applied as nothing.
    Entries(Vec<Entry>),
}

/// An answer to a request that ends in the driver. A proposal that gets no answer here is answered by the applier,
/// or ends by its deadline with an unknown outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The proposal or read certainly had no effect.
    Refused {
        /// Which.
        id: RequestId,
        /// Why.
        why: Refusal,
    },
    /// The proposal may or may not have been applied: a snapshot jumped over its place in the log.
    Unknown {
        /// Which.
        id: ProposalId,
    },
    /// The local state machine is now fresh enough for this read.
    ReadReady {
        /// Which.
        id: RequestId,
        /// It has applied at least this index, which was committed when or after the read came in.
        index: u64,
    },
}

/// Why a request was refused; it certainly had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// This node does not lead (for a read: it knows no leader).
    NotLeader {
        /// Who does, if known.
        leader: Option<u64>,
    },
    /// Too much waits: uncommitted bytes, proposals or reads.
    Overloaded,
    /// Another leader's entry took the proposal's place in the log; or the read's round ended with its leader.
    LostLeadership,
    /// Leadership is being handed over.
    Transferring,
    /// A write of this node waits longer than one election timeout.
    DiskStuck,
    /// The read's round got no answer within two election timeouts.
    ReadTimeout,
    /// Another change of members is not applied yet.
    ConfChangePending,
}

/// Read `[low, high)` from the store and answer with [`Input::Fetched`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// For the answer.
    pub id: u64,
    /// First index.
    pub low: u64,
    /// One beyond the last index.
    pub high: u64,
    /// Limit for [`crate::LogStore::entries`].
    pub max_bytes: u64,
}

/// Role, term or leader after a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateChange {
    /// Role.
    pub role: Role,
    /// Term.
    pub term: u64,
    /// Leader of this term; none: unknown.
    pub leader: Option<u64>,
}
