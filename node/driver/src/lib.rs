//! What the Raft loop decides: inputs in, outputs out; no IO, no clock, no tokio.
//!
//! A [`Driver`] wraps raft-rs's `RawNode` with asynchronous log writes. It never waits: a stuck disk must not stop
//! the ticks. Everything it needs done comes out of [`Driver::poll`], everything that was done goes in through
//! [`Driver::step`]. The simulation in `tests/` runs thousands of seeded clusters over it.
//!
//! # The caller's contract
//!
//! Start: open the store, restore the state machine (from [`LogStore::snapshot`] when it is behind the truncated
//! position; the one at [`BOOTSTRAP`] has no data and means the empty state), set [`Settings::applied`] to its index,
//! then [`Driver::new`]. Poll at once: a new cluster has its members to write. The first entry is at index 2.
//!
//! The loop, for ever:
//!
//! 1. Wait for an input; then drain ALL that waits into [`Driver::step`]. All proposals of one turn become one
//!    message, all reads one round.
//! 2. [`Driver::poll`]. Hand its parts on in the order of the fields of [`Outputs`]:
//!    - `write` to ONE writer, which may [`Write::merge`] what waits (in order), makes one batch and one fsync, and
//!      reports [`Input::Persisted`] with the newest number. It never reports before the fsync. A failed write ends
//!      the process: an fsync is never tried again.
//!    - `messages` to the peers, in order for each peer, without waiting for anything: what must wait for the
//!      disk is held back inside the driver. A message may be lost; report [`Input::Unreachable`] once per break.
//!    - `snapshots` to connections of their own, each ended by [`Input::SnapshotSent`], also after a timeout.
//!    - `apply` to ONE applier, which applies in order, answers proposals by [`RequestId::of_entry`] (never by
//!      order), stores its applied index with the applied state, and reports [`Input::Applied`]. An entry that holds
//!      a change of members: stop there, [`Driver::apply_conf_change`], and store or report that index only after
//!      the [`Write`] of the next poll is reported as persisted.
//!    - `replies` to the waiting requests, `fetches` to a thread that reads the store.
//! 3. While [`Outputs::more`] is set, poll again (after draining).
//!
//! [`Input::Tick`] comes from a clock of the caller; a missed tick is delayed, never made up. Every request has a
//! deadline outside: a proposal whose leader lost its term may get no answer here, and then its outcome is unknown.
//!
//! Peers: the transport knows by certificate who speaks, checks cluster, role and that the id was not removed, and
//! passes that id as `from`; the driver checks the shape ([`check_message`]) and everything that depends on the log,
//! since raft-rs panics on several malformed messages.
//!
//! # What it guarantees (numbered as they are tested)
//!
//! 1. Nothing leaves that depends on an unfinished write: votes, appends' answers, a new leader's first messages.
//! 2. Each id is answered at most once here; a refusal means that the request had and will have no effect.
//! 3. A read is ready only when the local state machine holds everything acknowledged before the read came in.
//! 4. A node in doubt ([`Initial::in_doubt`]) neither votes, campaigns, nor adds to any quorum until it holds all
//!    that a leader, whom the others elected, had committed.
//! 5. A node whose disk is stuck for an election timeout hands leadership over, refuses proposals, does not campaign.

mod check;
mod codec;
mod cold;
mod disk;
mod doubt;
mod driver;
mod guard;
mod id;
mod io;
mod log;
mod memory;
mod open;
mod proposals;
mod reads;
mod ready;
mod requests;
mod settings;
mod status;
mod terms;
mod view;

pub use check::{BadMessage, check_message};
pub use codec::{CodecError, conf_change_of, decode, encode};
pub use driver::Driver;
pub use id::{IdSource, ProposalId, RequestId};
pub use io::{Apply, Compact, Fetch, Input, Outputs, Refusal, Reply, StateChange};
pub use log::{
    BOOTSTRAP, Compaction, Initial, LogError, LogPosition, LogStore, SnapshotMeta, StoredSnapshot, Write,
};
pub use memory::MemoryLog;
pub use raft::eraftpb;
pub use settings::{DriverError, Settings};
pub use slog;
pub use status::{PeerStatus, Role, Status};
