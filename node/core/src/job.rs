//! A job: stages of tasks that advance inside apply (JOB-1). Map tasks exist from the start; when the last one is
//! completed the reduce tasks are made from their results, and after those one publish task.

use std::fmt;
use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::ids::{JobId, Millis};

/// A byte range of one object, cut at line ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct InputSplit {
    /// s3://bucket/key
    #[n(0)]
    pub url: String,
    /// First byte.
    #[n(1)]
    pub offset: u64,
    /// Bytes.
    #[n(2)]
    pub length: u64,
    /// Cloud where the object is; empty when unknown. The map task prefers it.
    #[n(3)]
    pub cloud: String,
}

/// What a client asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct JobSpec {
    /// `wordcount`: tasks of kind `wordcount-map`, `wordcount-reduce`, then `publish`.
    #[n(0)]
    pub kind: String,
    /// One map task each.
    #[n(1)]
    pub inputs: Vec<InputSplit>,
    /// s3://bucket/prefix of the output.
    #[n(2)]
    pub output: String,
    /// Reduce tasks, 1 to 1000.
    #[n(3)]
    pub reducers: u32,
    /// Same key and same spec: same job. Empty: none.
    #[n(4)]
    pub idempotency_key: String,
}

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum JobState {
    /// Map tasks run.
    #[default]
    #[n(0)]
    Map,
    /// All map tasks are completed; reduce tasks run.
    #[n(1)]
    Reduce,
    /// All reduce tasks are completed; one publish task makes the output visible.
    #[n(2)]
    Publish,
    /// Published.
    #[n(3)]
    Completed,
    /// A task failed for good; the rest was cancelled.
    #[n(4)]
    Failed,
    /// Taken back by a client.
    #[n(5)]
    Cancelled,
}

impl JobState {
    /// Its name as on the wire, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Reduce => "reduce",
            Self::Publish => "publish",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it never changes again.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Counts of one stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Stage {
    /// First task of the stage; the others follow it without a gap. 0 while the stage has no tasks.
    #[n(0)]
    pub first_task: u64,
    /// Tasks of the stage.
    #[n(1)]
    pub tasks: u32,
    /// Completed ones.
    #[n(2)]
    pub completed: u32,
    /// Attempts that failed or lost their lease.
    #[n(3)]
    pub failed_attempts: u32,
    /// Sum of `bytes_in` over the completed tasks' results.
    #[n(4)]
    pub bytes_in: u64,
    /// Sum of `bytes_out` likewise.
    #[n(5)]
    pub bytes_out: u64,
    /// Tasks that a worker holds now.
    #[n(6)]
    pub running: u32,
}

/// A job in the manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Job {
    /// Its id.
    #[n(0)]
    pub id: JobId,
    /// What was asked for; shared, because it never changes and the rest does.
    #[cbor(n(1), with = "crate::codec::shared")]
    pub spec: Arc<JobSpec>,
    /// Where it is in its life.
    #[n(2)]
    pub state: JobState,
    /// Map, reduce, publish, in this order.
    #[n(3)]
    pub stages: [Stage; 3],
    /// When it was submitted.
    #[n(4)]
    pub created: Millis,
    /// When it reached its terminal state; 0 before.
    #[n(5)]
    pub finished: Millis,
    /// Why it failed.
    #[n(6)]
    pub error: String,
    /// Published parts in order; set when completed.
    #[n(7)]
    pub parts: Vec<String>,
}

/// What a job's tasks are given and report, as one type for core and workers. Encoded as CBOR in
/// `TaskSpec::payload` and `Task::result` of the kinds `wordcount-map`, `wordcount-reduce` and `publish`.
pub mod work {
    use minicbor::{Decode, Encode};

    use super::InputSplit;

    /// An object that an attempt wrote below its own prefix, with the digest that makes it what it is.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
    pub struct Object {
        /// s3://bucket/key, private to the attempt that wrote it.
        #[n(0)]
        pub url: String,
        /// Bytes.
        #[n(1)]
        pub length: u64,
        /// SHA-256.
        #[cbor(n(2), with = "minicbor::bytes")]
        pub sha256: Vec<u8>,
        /// Reduce partition.
        #[n(3)]
        pub partition: u32,
    }

    /// Payload of a map task.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
    pub struct Map {
        /// What to read.
        #[n(0)]
        pub input: InputSplit,
        /// How many partitions to write.
        #[n(1)]
        pub reducers: u32,
        /// s3://bucket/prefix of the job's output; attempts write below `<output>/_attempts/<task>/<attempt>/`.
        #[n(2)]
        pub output: String,
    }

    /// Payload of a reduce task.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
    pub struct Reduce {
        /// The partition.
        #[n(0)]
        pub partition: u32,
        /// What the map tasks wrote for it, in order of the splits.
        #[n(1)]
        pub inputs: Vec<Object>,
        /// As in [`Map::output`].
        #[n(2)]
        pub output: String,
    }

    /// Payload of the publish task.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
    pub struct Publish {
        /// One object per partition, in order.
        #[n(0)]
        pub parts: Vec<Object>,
        /// Where `part-00000` ... and `_manifest.json` appear.
        #[n(1)]
        pub output: String,
    }

    /// Result of each of them.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
    pub struct Report {
        /// What was written: one object per non-empty partition (map), one (reduce), the published parts (publish).
        #[n(0)]
        pub objects: Vec<Object>,
        /// Bytes read.
        #[n(1)]
        pub bytes_in: u64,
        /// Bytes written.
        #[n(2)]
        pub bytes_out: u64,
    }
}
