//! Writing an object of any length in bounded memory.
//!
//! A short object is one request; a longer one goes up in parts and appears only when the last call completes it, so
//! a reader never sees half of it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use object_store::path::Path as Key;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt};

use crate::client::Store;
use crate::error::StoreError;

/// Bytes of one part. S3 wants at least 5 MiB for all but the last, and takes 10,000: 80 GiB an object.
pub const PART_BYTES: usize = 8 << 20;

/// Collects parts and sends them one after the other. When it is dropped unfinished the parts are thrown away, as far
/// as the store can still be reached.
#[derive(Debug)]
pub struct ObjectWriter {
    /// Names who asks when the bucket refuses.
    store: Store,
    bucket: Arc<dyn ObjectStore>,
    key: Key,
    url: String,
    /// What is not sent yet. Invariant: shorter than [`PART_BYTES`] between calls.
    pending: BytesMut,
    /// Set once a first part was sent.
    upload: Option<Box<dyn MultipartUpload>>,
    length: u64,
}

impl ObjectWriter {
    pub(crate) fn new(store: Store, bucket: Arc<dyn ObjectStore>, key: Key, url: String) -> Self {
        Self { store, bucket, key, url, pending: BytesMut::new(), upload: None, length: 0 }
    }

    /// Appends bytes.
    pub async fn write(&mut self, content: &[u8]) -> Result<(), StoreError> {
        self.pending.extend_from_slice(content);
        self.length = self.length.saturating_add(u64::try_from(content.len()).unwrap_or(u64::MAX));
        while self.pending.len() >= PART_BYTES {
            let part = self.pending.split_to(PART_BYTES).freeze();
            self.send(part).await?;
        }
        Ok(())
    }

    /// Completes the object; returns its length in bytes.
    pub async fn finish(mut self) -> Result<u64, StoreError> {
        let rest = self.pending.split().freeze();
        if self.upload.is_none() {
            let put = self.bucket.put(&self.key, rest.into()).await;
            put.map_err(|e| self.error(&e))?;
            return Ok(self.length);
        }
        if !rest.is_empty() {
            self.send(rest).await?;
        }
        if let Some(mut upload) = self.upload.take() {
            upload.complete().await.map_err(|e| self.error(&e))?;
        }
        Ok(self.length)
    }

    async fn send(&mut self, part: Bytes) -> Result<(), StoreError> {
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => {
                let started = self.bucket.put_multipart(&self.key).await;
                none.insert(started.map_err(|e| self.store.failed("write", &self.url, &e))?)
            }
        };
        upload.put_part(part.into()).await.map_err(|e| self.store.failed("write", &self.url, &e))
    }

    fn error(&self, source: &object_store::Error) -> StoreError {
        self.store.failed("write", &self.url, source)
    }
}

impl Drop for ObjectWriter {
    fn drop(&mut self) {
        let (Some(mut upload), Ok(runtime)) = (self.upload.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        runtime.spawn(async move {
            if let Err(error) = upload.abort().await {
                tracing::debug!(%error, "parts of an unfinished object stay in the store");
            }
        });
    }
}
