//! Everything that changes the state (MAN-3). A command carries all it needs: the time, the length of a lease, the
//! bounds of retention. What a node has configured never enters apply, or two nodes would differ.

use minicbor::{Decode, Encode};

use crate::ids::{Attempt, JobId, LogIndex, Millis, TaskId, WorkerId};
use crate::job::{Job, JobSpec};
use crate::task::{Task, TaskSpec};
use crate::worker::WorkerState;

/// A log entry's content: a command and the time at which the leader proposed it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Proposal {
    /// The leader's clock. Apply never lets the state's time go back: it takes the larger of this and the last.
    #[n(0)]
    pub now: Millis,
    /// What to do.
    #[n(1)]
    pub command: Command,
}

/// A grant of one task to one worker.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Grant {
    /// The task; must be pending.
    #[n(0)]
    pub task: TaskId,
    /// The worker; must be registered, not offline, and have room.
    #[n(1)]
    pub worker: WorkerId,
}

/// A task and one attempt at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct AttemptRef {
    /// The task.
    #[n(0)]
    pub task: TaskId,
    /// The attempt.
    #[n(1)]
    pub attempt: Attempt,
}

/// What to do. Numbers are never reused: old logs and snapshots stay readable.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Command {
    /// Puts all of these tasks into the manifest, or none.
    #[n(0)]
    SubmitTasks {
        /// In the order of the ids that they get.
        #[n(0)]
        specs: Vec<TaskSpec>,
    },
    /// Grants tasks to workers. A grant whose task or worker is no longer fit is left out, the others stand. The
    /// attempt of each is the log index of this entry.
    #[n(1)]
    Assign {
        /// At most one per task.
        #[n(0)]
        grants: Vec<Grant>,
        /// Length of the lease.
        #[n(1)]
        lease_ms: u64,
    },
    /// The worker began the attempt. Saying it again changes nothing and is no error.
    #[n(2)]
    Start {
        /// Who says so.
        #[n(0)]
        worker: WorkerId,
        /// Which attempt.
        #[n(1)]
        attempt: AttemptRef,
    },
    /// The attempt is done. The result of a job's task must be a `job::work::Report` that fits the task.
    #[n(3)]
    Complete {
        /// Who says so.
        #[n(0)]
        worker: WorkerId,
        /// Which attempt.
        #[n(1)]
        attempt: AttemptRef,
        /// Kept in the task.
        #[cbor(n(2), with = "minicbor::bytes")]
        result: Vec<u8>,
    },
    /// The attempt failed.
    #[n(4)]
    Fail {
        /// Who says so.
        #[n(0)]
        worker: WorkerId,
        /// Which attempt.
        #[n(1)]
        attempt: AttemptRef,
        /// Kept in the task.
        #[n(2)]
        error: String,
        /// Whether another attempt may succeed.
        #[n(3)]
        retryable: bool,
    },
    /// Takes a task back. Refused for a task of a job: the job is cancelled as a whole.
    #[n(5)]
    Cancel {
        /// Which task.
        #[n(0)]
        task: TaskId,
    },
    /// The leases of these attempts ended: their tasks go back to pending (no retry is used up). An attempt that is
    /// no longer current, or whose lease was renewed past `now`, is left out.
    #[n(6)]
    Expire {
        /// Which attempts.
        #[n(0)]
        attempts: Vec<AttemptRef>,
    },
    /// A new leader gives every lease at least this much time from now, once: it cannot know which heartbeats the
    /// last leader took.
    #[n(7)]
    ExtendLeases {
        /// Length of the lease.
        #[n(0)]
        lease_ms: u64,
    },
    /// Registers a worker or replaces what is known of it. Attempts that it held in an earlier life stay until their
    /// leases end or it reports on them.
    #[n(8)]
    RegisterWorker {
        /// Its name.
        #[n(0)]
        worker: WorkerId,
        /// host:port of its HTTP server.
        #[n(1)]
        address: String,
        /// Label of its cloud.
        #[n(2)]
        cloud: String,
        /// Region.
        #[n(3)]
        region: String,
        /// Attempts at once, at least 1.
        #[n(4)]
        capacity: u32,
        /// Task kinds that it runs.
        #[n(5)]
        kinds: Vec<String>,
    },
    /// A worker is alive; the leases of its attempts are renewed.
    #[n(9)]
    Heartbeat {
        /// Who.
        #[n(0)]
        worker: WorkerId,
        /// Processor use in thousandths of one processor.
        #[n(1)]
        cpu_milli: u32,
        /// Memory in use, bytes.
        #[n(2)]
        memory_bytes: u64,
        /// What it runs.
        #[n(3)]
        attempts: Vec<AttemptRef>,
        /// Length of the lease from now.
        #[n(4)]
        lease_ms: u64,
    },
    /// The leader has not heard of a worker for a while.
    #[n(10)]
    MarkWorker {
        /// Who.
        #[n(0)]
        worker: WorkerId,
        /// What it is from now on; `Healthy` only comes by heartbeat and is refused here.
        #[n(1)]
        state: WorkerState,
        /// Its `last_seen` when the leader decided: a heartbeat in between makes this command void.
        #[n(2)]
        last_seen: Millis,
    },
    /// A worker leaves: offline, its tasks go back to pending at once.
    #[n(11)]
    DeregisterWorker {
        /// Who.
        #[n(0)]
        worker: WorkerId,
    },
    /// Starts a job: its map tasks are in the manifest after this.
    #[n(12)]
    SubmitJob {
        /// What.
        #[n(0)]
        spec: JobSpec,
    },
    /// Takes a job and its tasks back.
    #[n(13)]
    CancelJob {
        /// Which.
        #[n(0)]
        job: JobId,
    },
    /// Sets a key.
    #[n(14)]
    KvSet {
        /// The key.
        #[cbor(n(0), with = "minicbor::bytes")]
        key: Vec<u8>,
        /// The value.
        #[cbor(n(1), with = "minicbor::bytes")]
        value: Vec<u8>,
    },
    /// Deletes a key.
    #[n(15)]
    KvDelete {
        /// The key.
        #[cbor(n(0), with = "minicbor::bytes")]
        key: Vec<u8>,
    },
    /// Sets a key only when its value is the expected one.
    #[n(16)]
    KvCompareAndSet {
        /// The key.
        #[cbor(n(0), with = "minicbor::bytes")]
        key: Vec<u8>,
        /// Must be there; `None`: the key must be absent.
        #[cbor(n(1), with = "minicbor::bytes")]
        expected: Option<Vec<u8>>,
        /// The value.
        #[cbor(n(2), with = "minicbor::bytes")]
        value: Vec<u8>,
    },
    /// Drops finished tasks and jobs: those that finished before `finished_before`, and the oldest beyond `keep_max`.
    /// Tasks of a job that is not finished stay. At most `drop_max` of them in one entry.
    #[n(17)]
    Retain {
        /// The bound in time.
        #[n(0)]
        finished_before: Millis,
        /// The bound in number.
        #[n(1)]
        keep_max: u64,
        /// Bound on the work of one entry.
        #[n(2)]
        drop_max: u64,
    },
}

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to report beyond that it holds.
    Done,
    /// Ids of the submitted tasks, in order; on a repeated idempotency key the id from before.
    Submitted(Vec<TaskId>),
    /// The grants that stand.
    Assigned(Vec<Task>),
    /// The task after the command.
    Task(Box<Task>),
    /// Attempts in the heartbeat that are not this worker's any more.
    Lost(Vec<AttemptRef>),
    /// The submitted job, or the one from before with the same idempotency key.
    JobSubmitted(JobId),
    /// The job after the command.
    Job(Box<Job>),
    /// A key was set.
    Set {
        /// Index of this entry.
        revision: LogIndex,
    },
    /// A key was deleted.
    Deleted {
        /// Whether it was there.
        existed: bool,
        /// Index of this entry.
        revision: LogIndex,
    },
    /// A compare-and-set ran.
    Swapped {
        /// Whether the value was the expected one.
        swapped: bool,
        /// What is there now, and its revision.
        current: Option<(Vec<u8>, LogIndex)>,
    },
    /// Finished tasks and jobs were dropped.
    Dropped(u64),
}
