//! Ids of requests: 16 bytes that no other request of any node in any run ever had.
//!
//! Proposals carry theirs in the `context` of the log entry, ReadIndex rounds in the context that raft-rs sends around.
//! A reused ReadIndex context gives stale reads on raft-rs 0.7.0, therefore the boot nonce.

use raft::eraftpb::Entry;

/// Id of one request: the node that made it, a nonce of this run of the node, a counter from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// Id of the node that made it.
    pub node: u32,
    /// Random number drawn once at every start of that node.
    pub boot: u32,
    /// Counted from 1 in this run.
    pub counter: u64,
}

/// Id of a proposal; the applier finds it in the committed entry with [`RequestId::of_entry`].
pub type ProposalId = RequestId;

impl RequestId {
    /// The 16 bytes: node, boot, counter, each big-endian.
    pub fn to_bytes(self) -> [u8; 16] {
        let node = u128::from(self.node) << 96;
        let boot = u128::from(self.boot) << 64;
        (node | boot | u128::from(self.counter)).to_be_bytes()
    }

    /// The id in these bytes; none when they are not exactly 16.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (node, rest) = bytes.split_first_chunk::<4>()?;
        let (boot, rest) = rest.split_first_chunk::<4>()?;
        let counter = <[u8; 8]>::try_from(rest).ok()?;
        Some(Self {
            node: u32::from_be_bytes(*node),
            boot: u32::from_be_bytes(*boot),
            counter: u64::from_be_bytes(counter),
        })
    }

    /// Id of the proposal that became this entry; none for entries that raft-rs made itself.
    pub fn of_entry(entry: &Entry) -> Option<Self> {
        Self::from_bytes(&entry.context)
    }
}

/// Hands out ids; one per node and run, shared by whoever makes requests.
#[derive(Debug)]
pub struct IdSource {
    node: u32,
    boot: u32,
    last: u64,
}

impl IdSource {
    /// Ids of this node in this run. `boot` must be a fresh random number at every start.
    pub fn new(node: u32, boot: u32) -> Self {
        Self { node, boot, last: 0 }
    }

    /// An id that was never handed out before.
    pub fn next_id(&mut self) -> RequestId {
        // 2^64 ids at a billion a second last 584 years.
        self.last = self.last.wrapping_add(1);
        RequestId { node: self.node, boot: self.boot, counter: self.last }
    }
}
