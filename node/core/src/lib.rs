//! The replicated state machine: pure and deterministic.
//!
//! `State::apply` is the only way to change it: same log, same bytes, on every node and after any snapshot. There is
//! no clock, no randomness, no IO and no async runtime in this crate, and none may be added: time comes from the
//! leader inside the proposal.

mod codec;
mod command;
mod entry;
mod error;
mod hash;
mod ids;
mod job;
mod kv;
mod level;
mod query;
mod scheduler;
mod snapshot;
mod state;
mod task;
mod worker;

pub use command::{AttemptRef, Command, Grant, Outcome, Proposal};
pub use entry::Unreadable;
pub use error::Rejection;
pub use hash::StateHash;
pub use ids::{Attempt, JobId, LogIndex, Millis, TaskId, WorkerId};
pub use job::{InputSplit, Job, JobSpec, JobState, Stage, work};
pub use kv::KvEntry;
pub use level::Level;
pub use query::{Counts, Page, TaskFilter};
pub use scheduler::{Waiting, grants};
pub use snapshot::{SnapshotChunks, SnapshotError};
pub use state::State;
pub use task::{KINDS, Task, TaskSpec, TaskState};
pub use worker::{Worker, WorkerState};
