//! Why a command changed nothing (MAN-6).

use thiserror::Error;

use crate::ids::{Attempt, JobId, TaskId, WorkerId};
use crate::task::TaskState;

/// A command that breaks a rule changes nothing and gets one of these.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    /// No such task: never was, or was dropped by retention.
    #[error("there is no task {0}")]
    UnknownTask(TaskId),
    /// No such worker.
    #[error("there is no worker {0}; it must register first")]
    UnknownWorker(WorkerId),
    /// No such job.
    #[error("there is no job {0}")]
    UnknownJob(JobId),
    /// The task's state forbids it.
    #[error("task {task} is {state}: {action} is not possible")]
    WrongState {
        /// Which task.
        task: TaskId,
        /// Its state.
        state: TaskState,
        /// What was asked for.
        action: &'static str,
    },
    /// The attempt is not the current one: its lease ended and the task was granted anew, or another worker has it.
    #[error("attempt {got} of task {task} is not the current one: {}", holder(*current, worker))]
    StaleAttempt {
        /// Which task.
        task: TaskId,
        /// The attempt in the command.
        got: Attempt,
        /// The current one; 0 when nobody holds the task.
        current: Attempt,
        /// Who has it; empty for nobody.
        worker: String,
    },
    /// The idempotency key was used for something else.
    #[error("idempotency key {key:?} was used for {what} {id} with another content")]
    KeyConflict {
        /// The key.
        key: String,
        /// `task` or `job`.
        what: &'static str,
        /// Its id.
        id: u64,
    },
    /// A job that is over.
    #[error("job {0} is already over")]
    JobOver(JobId),
    /// A task asks for a worker that is not there.
    #[error(
        "task {place} of the request asks for worker {worker}, which is not registered; registered: {}",
        names(known)
    )]
    WorkerNotRegistered {
        /// Place of the task in the request, from 0.
        place: usize,
        /// The worker that it asks for.
        worker: WorkerId,
        /// Those that are registered, in order.
        known: Vec<WorkerId>,
    },
    /// The command itself makes no sense.
    #[error("{0}")]
    Invalid(String),
}

fn holder(current: Attempt, worker: &str) -> String {
    if worker.is_empty() { "nobody holds it".to_owned() } else { format!("worker {worker} holds {current}") }
}

/// The first of them; a cluster may have thousands.
fn names(workers: &[WorkerId]) -> String {
    const SHOWN: usize = 20;
    let mut text = workers.iter().take(SHOWN).map(WorkerId::as_str).collect::<Vec<_>>().join(", ");
    match workers.len().saturating_sub(SHOWN) {
        0 if text.is_empty() => "none".clone_into(&mut text),
        0 => {}
        more => text += &format!(" and {more} more"),
    }
    text
}
