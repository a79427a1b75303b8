//! Snapshots: the whole state as a stream of CBOR items (MAN-5, NODE-6).
//!
//! Header, then every record in table order and key order, then the state hash. The same state gives the same bytes.
//! Indexes are not written: they follow from the records. Writing holds a clone of the state, which costs O(1) and
//! does not hinder the original (MAN-8); reading believes nothing until the hash at the end fits.

mod read;
mod write;

use minicbor::{Decode, Encode};
use thiserror::Error;

use crate::hash::StateHash;
use crate::ids::{LogIndex, Millis};
use crate::job::Job;
use crate::kv::KvEntry;
use crate::task::Task;
use crate::worker::Worker;

pub use write::SnapshotChunks;

/// First item of a snapshot.
const MAGIC: &str = "farquorum snapshot";
/// Raised when an older reader would misread the bytes.
const VERSION: u32 = 1;

/// Why bytes are no snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// The bytes are cut, garbled, or of something else.
    #[error("the snapshot is damaged at byte {at} of {length}: {what}")]
    Damaged {
        /// Where.
        at: usize,
        /// Bytes in all.
        length: usize,
        /// What is wrong.
        what: String,
    },
    /// A kind of record or value that this program does not know.
    #[error("a later version wrote the snapshot: what stands before byte {at} is not known here ({what})")]
    Unknown {
        /// Where.
        at: usize,
        /// What.
        what: String,
    },
    /// Written by another version.
    #[error("the snapshot has version {got}, this program reads version {VERSION}")]
    Version {
        /// The version in the bytes.
        got: u32,
    },
    /// The records are not as many as the header says.
    #[error("the snapshot has {got} {what}, its header says {expected}")]
    Count {
        /// Which records.
        what: &'static str,
        /// As the header says.
        expected: u64,
        /// As read.
        got: u64,
    },
    /// The records are not those that were written.
    #[error(
        "the snapshot's records hash to {got}, it says {expected}: it is damaged, or a later version wrote it and \
         its records have fields that this one does not know"
    )]
    Hash {
        /// As the snapshot says.
        expected: StateHash,
        /// As computed.
        got: StateHash,
    },
}

/// What belongs to no record, and how many records follow.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Header {
    #[n(0)]
    magic: String,
    #[n(1)]
    version: u32,
    #[n(2)]
    applied: LogIndex,
    #[n(3)]
    now: Millis,
    #[n(4)]
    last_task: u64,
    #[n(5)]
    last_job: u64,
    /// Jobs, workers, tasks, keys.
    #[n(6)]
    counts: [u64; 4],
}

/// One item after the header. Jobs come before tasks: whether a task may be dropped depends on its job.
#[derive(Encode, Decode)]
enum Item {
    #[n(0)]
    Job(#[n(0)] Job),
    #[n(1)]
    Worker(#[n(0)] Worker),
    #[n(2)]
    Task(#[n(0)] Task),
    #[n(3)]
    Kv(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>, #[n(1)] KvEntry),
    /// The last one: the state hash.
    #[n(4)]
    End(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]),
}
