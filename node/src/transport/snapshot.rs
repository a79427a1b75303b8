//! A snapshot as chunks, and chunks as a snapshot. Pure; the RPC around it is in `peer` and `server`.
//!
//! Every chunk carries a CRC-32 against a broken byte early on, and the first one a BLAKE3 of the whole against
//! everything else; nothing of a snapshot is handed on before that digest is right.

use bytes::{Bytes, BytesMut};
use farquorum_proto::v1;
use thiserror::Error;

use crate::raft::join_snapshot;

/// Bytes of a chunk: several fit into an HTTP/2 window, and one is small beside what a receiver may hold.
pub(crate) const CHUNK_BYTES: usize = 1 << 20;

/// Longest snapshot that is taken: the state's goal of 2 GiB. Memory is taken as chunks come, never by the announced
/// total alone.
const TOTAL_BYTES_MAX: u64 = 2 << 30;

/// Why a snapshot is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum SnapshotError {
    #[error("the snapshot is announced with {got} bytes, at most {TOTAL_BYTES_MAX} are taken")]
    TooLong { got: u64 },
    #[error("chunk at {got}, {expected} comes next")]
    Offset { got: u64, expected: u64 },
    #[error("the chunk at {offset} has another CRC-32 than it says")]
    Crc { offset: u64 },
    #[error("the chunk at {offset} goes beyond the announced {total} bytes")]
    Beyond { offset: u64, total: u64 },
    #[error("{got} of {total} bytes came")]
    Short { got: u64, total: u64 },
    #[error("the whole has another digest than it says")]
    Digest,
    #[error("the message is not a snapshot: {0}")]
    Message(String),
}

/// The chunks of a snapshot, the first with everything that is said once.
pub(crate) fn chunks(
    hello: v1::Hello,
    message: Bytes,
    data: Bytes,
) -> impl Iterator<Item = v1::SnapshotChunk> + Send {
    let digest = Bytes::copy_from_slice(blake3::hash(&data).as_bytes());
    let total_bytes = length(&data);
    let mut head =
        Some(v1::SnapshotChunk { hello: Some(hello), message, total_bytes, digest, ..Default::default() });
    let mut rest = data;
    let mut offset = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() && head.is_none() {
            return None;
        }
        let part = rest.split_to(rest.len().min(CHUNK_BYTES));
        let chunk = v1::SnapshotChunk {
            offset,
            crc32: crc32fast::hash(&part),
            data: part.clone(),
            ..head.take().unwrap_or_default()
        };
        offset += length(&part);
        Some(chunk)
    })
}

/// A snapshot on its way in.
#[derive(Debug)]
pub(crate) struct Assembly {
    message: Bytes,
    total: u64,
    digest: Bytes,
    data: BytesMut,
}

impl Assembly {
    /// Begins with the first chunk, whose data is not taken yet.
    pub(crate) fn begin(first: &v1::SnapshotChunk) -> Result<Self, SnapshotError> {
        if first.total_bytes > TOTAL_BYTES_MAX {
            return Err(SnapshotError::TooLong { got: first.total_bytes });
        }
        let (message, digest) = (first.message.clone(), first.digest.clone());
        Ok(Self { message, total: first.total_bytes, digest, data: BytesMut::new() })
    }

    /// Takes the next chunk's data.
    pub(crate) fn add(&mut self, chunk: &v1::SnapshotChunk) -> Result<(), SnapshotError> {
        let (offset, expected) = (chunk.offset, length(&self.data));
        if offset != expected {
            return Err(SnapshotError::Offset { got: offset, expected });
        }
        if crc32fast::hash(&chunk.data) != chunk.crc32 {
            return Err(SnapshotError::Crc { offset });
        }
        if expected.saturating_add(length(&chunk.data)) > self.total {
            return Err(SnapshotError::Beyond { offset, total: self.total });
        }
        self.data.extend_from_slice(&chunk.data);
        Ok(())
    }

    /// The whole message with its data, once all is there and right.
    pub(crate) fn finish(self) -> Result<Bytes, SnapshotError> {
        let got = length(&self.data);
        if got != self.total {
            return Err(SnapshotError::Short { got, total: self.total });
        }
        if blake3::hash(&self.data).as_bytes().as_slice() != self.digest.as_ref() {
            return Err(SnapshotError::Digest);
        }
        join_snapshot(&self.message, self.data.into())
            .map_err(|error| SnapshotError::Message(error.to_string()))
    }
}

fn length(data: &[u8]) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use farquorum_driver::eraftpb;

    use super::*;

    fn sent(bytes: usize) -> Vec<v1::SnapshotChunk> {
        let message = eraftpb::Message { snapshot: Some(eraftpb::Snapshot::default()), ..Default::default() };
        let data: Vec<u8> = (0..bytes).map(|at| u8::try_from(at % 251).unwrap()).collect();
        chunks(v1::Hello::default(), farquorum_driver::encode(&message).into(), data.into()).collect()
    }

    fn received(chunks: &[v1::SnapshotChunk]) -> Result<usize, SnapshotError> {
        let mut assembly = Assembly::begin(&chunks[0])?;
        chunks.iter().try_for_each(|chunk| assembly.add(chunk))?;
        let message: eraftpb::Message = farquorum_driver::decode(&assembly.finish()?).unwrap();
        Ok(message.snapshot.as_ref().unwrap().data.len())
    }

    #[test]
    fn what_was_sent_arrives() {
        for bytes in [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES] {
            let chunks = sent(bytes);
            assert_eq!(chunks.len(), bytes.div_ceil(CHUNK_BYTES).max(1));
            assert_eq!(received(&chunks), Ok(bytes));
        }
    }

    type Change = fn(&mut Vec<v1::SnapshotChunk>);

    #[test]
    fn what_was_changed_on_the_way_is_refused() {
        let whole = sent(2 * CHUNK_BYTES + 5);
        let changed = |change: Change| {
            let mut chunks = whole.clone();
            change(&mut chunks);
            received(&chunks).unwrap_err().to_string()
        };
        let cases: [(Change, &str); 7] = [
            (|chunks| chunks[1].crc32 ^= 1, "another CRC-32"),
            (|chunks| chunks.swap(1, 2), "1048576 comes next"),
            (|chunks| drop(chunks.remove(1)), "1048576 comes next"),
            (|chunks| drop(chunks.pop()), "2097152 of 2097157 bytes came"),
            (|chunks| chunks[0].total_bytes = 5, "beyond the announced 5"),
            (|chunks| chunks[0].total_bytes = u64::MAX, "at most"),
            (|chunks| chunks[0].digest = Bytes::from_static(&[0; 32]), "another digest"),
        ];
        for (change, expected) in cases {
            let message = changed(change);
            assert!(message.contains(expected), "{message:?} does not say {expected:?}");
        }
    }

    #[test]
    fn a_message_that_is_no_snapshot_is_refused() {
        let chunks = chunks(v1::Hello::default(), Bytes::from_static(b"\xff\xff"), Bytes::from_static(b"x"));
        assert!(matches!(received(&chunks.collect::<Vec<_>>()), Err(SnapshotError::Message(_))));
    }
}
