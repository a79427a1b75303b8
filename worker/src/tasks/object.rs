//! An object together with its digest: written with one, read against one.

use bytes::Bytes;
use farquorum_core::work::Object;
use farquorum_storage::{ObjectReader, ObjectWriter, Store};
use sha2::{Digest, Sha256};

use super::TaskError;

/// Writes an object and its digest at once.
pub(super) struct DigestWriter {
    writer: ObjectWriter,
    hasher: Sha256,
    url: String,
    partition: u32,
}

impl DigestWriter {
    pub(super) fn new(store: &Store, url: String, partition: u32) -> Result<Self, TaskError> {
        Ok(Self { writer: store.writer(&url)?, hasher: Sha256::new(), url, partition })
    }

    pub(super) async fn write(&mut self, content: &[u8]) -> Result<(), TaskError> {
        self.hasher.update(content);
        Ok(self.writer.write(content).await?)
    }

    /// The digest of what was written so far.
    pub(super) fn digest(&self) -> Vec<u8> {
        self.hasher.clone().finalize().to_vec()
    }

    /// Makes the object appear.
    pub(super) async fn finish(self) -> Result<Object, TaskError> {
        let length = self.writer.finish().await?;
        Ok(Object {
            url: self.url,
            length,
            sha256: self.hasher.finalize().to_vec(),
            partition: self.partition,
        })
    }
}

/// Reads an object from the front; its end is only reached when length and digest are right.
pub(super) struct DigestReader {
    reader: ObjectReader,
    hasher: Sha256,
    object: Object,
}

impl DigestReader {
    /// Pieces of at most `piece_bytes`.
    pub(super) fn new(store: &Store, object: Object, piece_bytes: u64) -> Self {
        let reader = store.reader(&object.url, 0..object.length).with_piece(piece_bytes);
        Self { reader, hasher: Sha256::new(), object }
    }

    pub(super) fn url(&self) -> &str {
        &self.object.url
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// Also when the whole has another digest than the one that was reported for it.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, TaskError> {
        if let Some(piece) = self.reader.next().await? {
            self.hasher.update(&piece);
            return Ok(Some(piece));
        }
        check_digest(&self.object, &self.hasher.clone().finalize())?;
        Ok(None)
    }
}

/// Compares a digest with the one that was reported.
pub(super) fn check_digest(expected: &Object, got: &[u8]) -> Result<(), TaskError> {
    if expected.sha256 == got {
        return Ok(());
    }
    Err(TaskError::transient(format!(
        "{} has another content than was reported: SHA-256 {}, expected {}",
        expected.url,
        hex::encode(got),
        hex::encode(&expected.sha256)
    )))
}
