//! `publish`: makes a job's output visible, once (JOB-2).
//!
//! Order: claim the output folder, look for a manifest, copy the parts, create the manifest, clean up. The claim
//! (`_claim`, created only when absent) holds the digest of the manifest to come, so another job with the same output
//! is refused before it touches a part; another attempt of this job finds its own claim and does the same work again.
//! The output is complete exactly when `_manifest.json` is there.

use bytes::Bytes;
use farquorum_core::work::{Object, Publish, Report};
use farquorum_storage::{PIECE_BYTES, Store, join};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::object::{DigestReader, DigestWriter, check_digest};
use super::{ATTEMPTS, Context, TaskError, from_cbor, to_cbor};

/// Name of the manifest below the output.
pub const MANIFEST: &str = "_manifest.json";
/// Name of the claim below the output.
const CLAIM: &str = "_claim";
/// Largest manifest that is read back: 1000 parts take less than a tenth of it.
const MANIFEST_BYTES_MAX: u64 = 4 << 20;

/// What a complete output consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// s3://bucket/prefix of the output.
    pub output: String,
    /// Parts in order.
    pub parts: Vec<ManifestPart>,
}

/// One part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestPart {
    /// s3://bucket/key
    pub url: String,
    /// Bytes.
    pub length: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

pub(super) async fn run(context: Context, payload: Vec<u8>) -> Result<Vec<u8>, TaskError> {
    let work: Publish = from_cbor("publish", &payload)?;
    let store = &context.store;
    let parts: Vec<_> = (0u32..).zip(&work.parts).map(|(i, part)| published(&work.output, i, part)).collect();
    let manifest = manifest_of(&work.output, &parts)?;

    claim(store, &work.output, &manifest).await?;
    if !is_published(store, &work.output, &manifest).await? {
        for (from, to) in work.parts.iter().zip(&parts) {
            copy(store, from, to).await?;
        }
        create_manifest(store, &work.output, &manifest).await?;
    }
    clean_up(store, &work.output).await;
    let bytes = parts.iter().map(|part| part.length).sum();
    to_cbor(&Report { objects: parts, bytes_in: bytes, bytes_out: bytes })
}

/// Where a part appears.
fn published(output: &str, place: u32, part: &Object) -> Object {
    Object { url: join(output, &format!("part-{place:05}")), partition: place, ..part.clone() }
}

/// The manifest's bytes: the same for the same parts, so that attempts can compare them.
fn manifest_of(output: &str, parts: &[Object]) -> Result<Bytes, TaskError> {
    let parts = parts.iter().map(|part| ManifestPart {
        url: part.url.clone(),
        length: part.length,
        sha256: hex::encode(&part.sha256),
    });
    let manifest = Manifest { output: output.to_owned(), parts: parts.collect() };
    let mut text =
        serde_json::to_vec_pretty(&manifest).map_err(|e| TaskError::fatal(format!("manifest: {e}")))?;
    text.push(b'\n');
    Ok(text.into())
}

async fn claim(store: &Store, output: &str, manifest: &[u8]) -> Result<(), TaskError> {
    let url = join(output, CLAIM);
    let claim = Bytes::from(hex::encode(Sha256::digest(manifest)));
    if store.put_if_absent(&url, claim.clone()).await? || store.get(&url, MANIFEST_BYTES_MAX).await? == claim
    {
        return Ok(());
    }
    Err(taken(output))
}

async fn is_published(store: &Store, output: &str, manifest: &[u8]) -> Result<bool, TaskError> {
    match store.get(&join(output, MANIFEST), MANIFEST_BYTES_MAX).await {
        Ok(there) if there == manifest => Ok(true),
        Ok(_) => Err(taken(output)),
        Err(farquorum_storage::StoreError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Copies one part; it appears only when its digest is the one that its reduce task reported.
async fn copy(store: &Store, from: &Object, to: &Object) -> Result<(), TaskError> {
    let mut reader = DigestReader::new(store, from.clone(), PIECE_BYTES);
    let mut writer = DigestWriter::new(store, to.url.clone(), to.partition)?;
    while let Some(piece) = reader.next().await? {
        writer.write(&piece).await?;
    }
    check_digest(from, &writer.digest())?;
    writer.finish().await?;
    Ok(())
}

async fn create_manifest(store: &Store, output: &str, manifest: &Bytes) -> Result<(), TaskError> {
    let created = store.put_if_absent(&join(output, MANIFEST), manifest.clone()).await?;
    // Not created: another attempt of this job was quicker, or our own answer was lost.
    if created || is_published(store, output, manifest).await? { Ok(()) } else { Err(taken(output)) }
}

fn taken(output: &str) -> TaskError {
    TaskError::fatal(format!(
        "{output} holds the output of another job; choose another output or delete what is there"
    ))
}

/// Deletes what the attempts left; best effort, it is only space.
async fn clean_up(store: &Store, output: &str) {
    let deleted = async {
        let objects = store.list(&join(output, ATTEMPTS))?;
        objects.try_for_each_concurrent(8, |object| async move { store.delete(&object.url).await }).await
    };
    if let Err(error) = deleted.await {
        tracing::warn!(%error, output, "objects of attempts stay below the output");
    }
}
