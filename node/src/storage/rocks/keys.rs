//! Where things stand in the database, and how the small records look.

use minicbor::{Decode, Encode};

/// Column family of the entries: key is the index as a big-endian u64.
pub(super) const LOG: &str = "log";
/// Column family of snapshot data: key is generation and chunk number, each big-endian.
pub(super) const SNAPSHOT: &str = "snapshot";
/// All column families; small records are in the default one.
pub(super) const FAMILIES: [&str; 3] = ["default", LOG, SNAPSHOT];

/// Keys of the small records.
pub(super) const IDENTITY: &[u8] = b"identity";
pub(super) const HARD_STATE: &[u8] = b"hard_state";
pub(super) const CONF_STATE: &[u8] = b"conf_state";
pub(super) const TRUNCATED: &[u8] = b"truncated";
pub(super) const TAIL: &[u8] = b"tail";
pub(super) const SNAPSHOT_META: &[u8] = b"snapshot";

/// Up to where the log is gone; its first entry is chained to `link`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Truncated {
    #[n(0)]
    pub(super) index: u64,
    #[n(1)]
    pub(super) term: u64,
    #[n(2)]
    pub(super) link: u32,
}

/// Where the log ends. Written with every change of the end, so that entries lost by another way than with the rest
/// of their batch are missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Tail {
    #[n(0)]
    pub(super) index: u64,
    #[n(1)]
    pub(super) link: u32,
}

/// The newest snapshot; its data are the chunks of its generation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct SnapshotRecord {
    #[n(0)]
    pub(super) generation: u64,
    #[n(1)]
    pub(super) index: u64,
    #[n(2)]
    pub(super) term: u64,
    /// eraftpb.ConfState.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub(super) conf_state: Vec<u8>,
    /// Bytes of data.
    #[n(4)]
    pub(super) bytes: u64,
    /// BLAKE3 of the data.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub(super) digest: [u8; 32],
}

pub(super) fn chunk_key(generation: u64, chunk: u32) -> [u8; 12] {
    let key = (u128::from(generation) << 32) | u128::from(chunk);
    let [_, _, _, _, key @ ..] = key.to_be_bytes();
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_sort_by_generation_then_number() {
        assert!(chunk_key(1, u32::MAX) < chunk_key(2, 0));
        assert!(chunk_key(2, 1) < chunk_key(2, 256));
        assert_eq!(chunk_key(0x0102, 3), [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 3]);
    }
}
