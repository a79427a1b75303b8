//! A value of the key-value store.

use minicbor::{Decode, Encode};

use crate::ids::LogIndex;

/// What a key holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct KvEntry {
    /// The value.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub value: Vec<u8>,
    /// Log index of the write that made it.
    #[n(1)]
    pub revision: LogIndex,
}
