//! Whose folder it is: written with the first batch, compared at every start.

use std::fmt;

use minicbor::{Decode, Encode};

/// Version of everything below the data folder.
pub const FORMAT: u32 = 1;

/// Random name of one data folder, made with it. A node that comes back with another one has lost its memory: its
/// peers refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct StoreId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl StoreId {
    /// A new one.
    pub fn random() -> Self {
        Self(rand::random())
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A founding member.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Member {
    #[n(0)]
    pub(crate) id: u64,
    #[n(1)]
    pub(crate) name: String,
    #[n(2)]
    pub(crate) voter: bool,
}

/// The record.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Identity {
    /// [`FORMAT`] of the program that made the folder.
    #[n(0)]
    pub(crate) format: u32,
    /// Name of the cluster.
    #[n(1)]
    pub(crate) cluster: String,
    /// Raft id.
    #[n(2)]
    pub(crate) node: u64,
    /// Random name of the folder.
    #[n(3)]
    pub(crate) store: StoreId,
    /// Members at bootstrap; empty when the node joined later. Membership itself is in the log and in snapshots.
    #[n(4)]
    pub(crate) founders: Vec<Member>,
}
