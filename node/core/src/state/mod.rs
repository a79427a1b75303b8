//! The manifest and how an entry of the log changes it.
//!
//! `State` is made of persistent maps: a clone costs O(1) and is a frozen view, for reads and for snapshots, while
//! the original goes on (MAN-8). Every command is checked wholly before its first change, so a rejected one leaves
//! nothing behind but the entry's index and time (MAN-6).

mod apply_job;
mod apply_kv;
mod apply_task;
mod apply_worker;
#[cfg(any(test, debug_assertions))]
mod check;
mod index;
mod job_flow;
mod lease;
mod report;
mod retention;
mod stage;
mod tables;

pub(crate) use index::Lane;
pub(crate) use tables::Tables;

use crate::command::{Command, Outcome, Proposal};
use crate::entry::Unreadable;
use crate::error::Rejection;
use crate::hash::StateHash;
use crate::ids::{LogIndex, Millis};

/// The replicated state: tasks, workers, jobs, keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Last entry that was applied. Invariant: only grows.
    pub(crate) applied: LogIndex,
    /// Logical time: the largest `now` of all proposals so far. Invariant: never goes back.
    pub(crate) now: Millis,
    /// Last task id that was given out; 0 for none.
    pub(crate) last_task: u64,
    /// Last job id that was given out; 0 for none.
    pub(crate) last_job: u64,
    pub(crate) tables: Tables,
}

impl State {
    /// The state before the first entry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies one entry of the log. A rejection changes nothing but the last applied index and the time.
    ///
    /// # Errors
    /// The rule that the command breaks. An index that is not above the last one is refused as invalid and changes
    /// nothing at all: no entry is applied twice.
    pub fn apply(&mut self, index: LogIndex, proposal: &Proposal) -> Result<Outcome, Rejection> {
        self.advance(index)?;
        self.now = self.now.max(proposal.now);
        self.dispatch(&proposal.command)
    }

    /// Decodes and applies one entry of the log.
    ///
    /// # Errors
    /// An entry that cannot be read changes nothing at all, not even the last applied index: whoever applies the log
    /// stops in front of it. Otherwise the answer is that of [`State::apply`].
    pub fn apply_bytes(
        &mut self,
        index: LogIndex,
        bytes: &[u8],
    ) -> Result<Result<Outcome, Rejection>, Unreadable> {
        Proposal::decode(bytes).map(|proposal| self.apply(index, &proposal))
    }

    /// Passes an entry that carries no command: the empty entry of a new leader, a membership change.
    ///
    /// # Errors
    /// The index is not above the last one.
    pub fn skip(&mut self, index: LogIndex) -> Result<(), Rejection> {
        self.advance(index)
    }

    /// Index of the last entry that was applied; 0 before the first.
    pub fn applied(&self) -> LogIndex {
        self.applied
    }

    /// Logical time: the largest time of all proposals so far.
    pub fn now(&self) -> Millis {
        self.now
    }

    /// Hash of the whole state; equal on all nodes that applied the same entries (MAN-5). O(1).
    pub fn hash(&self) -> StateHash {
        self.tables.sum.finish(&[self.applied.0, self.now.0, self.last_task, self.last_job])
    }

    fn advance(&mut self, index: LogIndex) -> Result<(), Rejection> {
        if index <= self.applied {
            let last = self.applied;
            return Err(Rejection::Invalid(format!(
                "entry {index} is not above the last applied one ({last})"
            )));
        }
        self.applied = index;
        Ok(())
    }

    fn dispatch(&mut self, command: &Command) -> Result<Outcome, Rejection> {
        match command {
            Command::SubmitTasks { specs } => self.submit_tasks(specs),
            Command::Assign { grants, lease_ms } => self.assign(grants, *lease_ms),
            Command::Start { worker, attempt } => self.start(worker, *attempt),
            Command::Complete { worker, attempt, result } => self.complete(worker, *attempt, result),
            Command::Fail { worker, attempt, error, retryable } => {
                self.fail(worker, *attempt, error, *retryable)
            }
            Command::Cancel { task } => self.cancel(*task),
            Command::Expire { attempts } => Ok(self.expire(attempts)),
            Command::ExtendLeases { lease_ms } => self.extend_leases(*lease_ms),
            Command::RegisterWorker { worker, address, cloud, region, capacity, kinds } => {
                self.register_worker(worker, address, cloud, region, *capacity, kinds)
            }
            Command::Heartbeat { worker, cpu_milli, memory_bytes, attempts, lease_ms } => {
                self.heartbeat(worker, *cpu_milli, *memory_bytes, attempts, *lease_ms)
            }
            Command::MarkWorker { worker, state, last_seen } => self.mark_worker(worker, *state, *last_seen),
            Command::DeregisterWorker { worker } => self.deregister_worker(worker),
            Command::SubmitJob { spec } => self.submit_job(spec),
            Command::CancelJob { job } => self.cancel_job(*job),
            Command::KvSet { key, value } => Ok(self.kv_set(key, value)),
            Command::KvDelete { key } => Ok(self.kv_delete(key)),
            Command::KvCompareAndSet { key, expected, value } => {
                Ok(self.kv_compare_and_set(key, expected.as_deref(), value))
            }
            Command::Retain { finished_before, keep_max, drop_max } => {
                Ok(self.retain(*finished_before, *keep_max, *drop_max))
            }
        }
    }
}
