//! A registered worker (MAN-2).

use std::fmt;

use minicbor::{Decode, Encode};

use crate::ids::{Millis, WorkerId};
use crate::task::TaskSpec;

/// Whether a worker is heard of. The leader proposes the changes; they are never computed from a clock here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum WorkerState {
    /// Heard of in time.
    #[default]
    #[n(0)]
    Healthy,
    /// A heartbeat is missing.
    #[n(1)]
    Suspect,
    /// Three heartbeats are missing, or it deregistered: gets no grants.
    #[n(2)]
    Offline,
}

impl WorkerState {
    /// Its name as on the wire, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Suspect => "suspect",
            Self::Offline => "offline",
        }
    }
}

impl fmt::Display for WorkerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A worker in the registry.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Worker {
    /// Its name.
    #[n(0)]
    pub id: WorkerId,
    /// host:port of its HTTP server.
    #[n(1)]
    pub address: String,
    /// Label of its cloud.
    #[n(2)]
    pub cloud: String,
    /// Region, free text.
    #[n(3)]
    pub region: String,
    /// Attempts that it runs at once, at least 1.
    #[n(4)]
    pub capacity: u32,
    /// Task kinds that it runs; a task of another kind is never granted to it.
    #[n(5)]
    pub kinds: Vec<String>,
    /// Attempts that it holds. Invariant: the number of active tasks whose `worker` it is.
    #[n(6)]
    pub active: u32,
    /// Whether it is heard of.
    #[n(7)]
    pub state: WorkerState,
    /// Last registration or heartbeat.
    #[n(8)]
    pub last_seen: Millis,
    /// Processor use in thousandths of one processor.
    #[n(9)]
    pub cpu_milli: u32,
    /// Memory in use, bytes.
    #[n(10)]
    pub memory_bytes: u64,
}

impl Worker {
    /// Whether a task may be granted to it as far as the task's kind and the worker that it asks for go.
    pub fn suits(&self, spec: &TaskSpec) -> bool {
        self.kinds.contains(&spec.kind) && spec.worker.as_ref().is_none_or(|only| *only == self.id)
    }
}
