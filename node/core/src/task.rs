//! A task: one unit of work (MAN-1).

use std::fmt;
use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::ids::{Attempt, JobId, Millis, TaskId, WorkerId};

/// Task kinds that every worker of this version runs, in order. A worker may bring further ones.
pub const KINDS: [&str; 6] =
    ["command", "matmul", "publish", "storage-check", "wordcount-map", "wordcount-reduce"];

/// What a client asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct TaskSpec {
    /// What runs it: one of [`KINDS`], or a kind that a worker registered. Not interpreted here.
    #[n(0)]
    pub kind: String,
    /// JSON for that kind. Not interpreted here.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub payload: Vec<u8>,
    /// Cloud whose workers are preferred; empty for any.
    #[n(2)]
    pub cloud_affinity: String,
    /// Higher first; 0 is normal.
    #[n(3)]
    pub priority: i32,
    /// Further attempts after a failed one.
    #[n(4)]
    pub retries: u32,
    /// Longest run of one attempt, in milliseconds.
    #[n(5)]
    pub timeout_ms: u64,
    /// Same key and same spec: same task. Empty: none.
    #[n(6)]
    pub idempotency_key: String,
    /// The only worker that may run it: it waits while that worker is away. `None`: any, as in records of versions
    /// that did not have this field.
    #[n(7)]
    pub worker: Option<WorkerId>,
}

/// Where a task is in its life. `Completed`, `Failed` and `Cancelled` never change again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum TaskState {
    /// Waits for a worker.
    #[default]
    #[n(0)]
    Pending,
    /// Granted to a worker, which has not said yet that it started.
    #[n(1)]
    Assigned,
    /// A worker runs it.
    #[n(2)]
    Running,
    /// Done; the result stands.
    #[n(3)]
    Completed,
    /// No attempt is left, or the last failure was final.
    #[n(4)]
    Failed,
    /// Taken back by a client or by its job.
    #[n(5)]
    Cancelled,
}

impl TaskState {
    /// Its name as on the wire, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Assigned => "assigned",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it never changes again.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Whether a worker holds an attempt.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Assigned | Self::Running)
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A task in the manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Task {
    /// Its id.
    #[n(0)]
    pub id: TaskId,
    /// What was asked for; shared, because it never changes and the rest does.
    #[cbor(n(1), with = "crate::codec::shared")]
    pub spec: Arc<TaskSpec>,
    /// Where it is in its life.
    #[n(2)]
    pub state: TaskState,
    /// Current or last attempt. Invariant: 0 exactly when it was never granted.
    #[n(3)]
    pub attempt: Attempt,
    /// Worker of the current or last attempt. Invariant: set exactly when `attempt` is not 0.
    #[n(4)]
    pub worker: Option<WorkerId>,
    /// When it was submitted.
    #[n(5)]
    pub created: Millis,
    /// When the current or last attempt was granted; 0 before.
    #[n(6)]
    pub assigned: Millis,
    /// When the current or last attempt said that it started; 0 before.
    #[n(7)]
    pub started: Millis,
    /// When it reached its terminal state; 0 before.
    #[n(8)]
    pub finished: Millis,
    /// What the attempt that completed it reported: JSON.
    #[cbor(n(9), with = "minicbor::bytes")]
    pub result: Vec<u8>,
    /// What went wrong in the last failed or expired attempt.
    #[n(10)]
    pub error: String,
    /// Attempts that may still follow a failed one.
    #[n(11)]
    pub retries_left: u32,
    /// End of the lease. Invariant: 0 exactly when the state is not active.
    #[n(12)]
    pub lease_until: Millis,
    /// Job that made it.
    #[n(13)]
    pub job: Option<JobId>,
}
