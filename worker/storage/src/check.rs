//! Is this store good enough? (STO-2)
//!
//! Two questions: do bytes come back as they went in, and does "create only when absent" hold? Some S3 look-alikes take
//! the header and ignore it; then two attempts could both believe that they published, so the answer says what it means.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::client::Store;
use crate::error::StoreError;
use crate::location::join;

/// Bytes that are written and read back: 1 MB.
pub const CHECK_BYTES: usize = 1_000_000;
/// Creators that race for one key.
const CREATORS: usize = 8;

/// What the store did with "create only when absent".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConditionalCreate {
    /// Exactly one creator won and a later one was refused.
    Honoured,
    /// More than one creator was told that it won, or an existing object was replaced.
    Ignored,
}

/// What the check found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Prefix that it wrote below; empty again afterwards.
    pub url: String,
    /// Bytes written and read.
    pub bytes: usize,
    /// SHA-256 of what was written, hexadecimal.
    pub sha256: String,
    /// Whether what was read has the same one.
    pub intact: bool,
    /// Time of the write in milliseconds.
    pub write_ms: f64,
    /// Time of the read in milliseconds.
    pub read_ms: f64,
    /// Whether publishing once can rest on this store.
    pub conditional_create: ConditionalCreate,
}

impl CheckReport {
    /// Whether jobs may use this store.
    pub fn is_ok(&self) -> bool {
        self.intact && self.conditional_create == ConditionalCreate::Honoured
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "store               {}", self.url)?;
        writeln!(
            f,
            "wrote and read      {} bytes in {:.1} and {:.1} ms",
            self.bytes, self.write_ms, self.read_ms
        )?;
        let intact =
            if self.intact { "read back the same" } else { "READ BACK DIFFERENT: do not use this store" };
        writeln!(f, "sha256              {} ({intact})", self.sha256)?;
        let create = match self.conditional_create {
            ConditionalCreate::Honoured => "honoured: a job's output is published once",
            ConditionalCreate::Ignored => {
                "IGNORED: two attempts could both publish, and the later one would replace the output of the first; \
                 use a store that honours it (Amazon S3, Google Cloud Storage, Azure Blob Storage, MinIO, the lab's own)"
            }
        };
        write!(f, "conditional create  {create}")
    }
}

/// Checks the store below `prefix` (a folder of its own with a random name there, removed afterwards). `who` goes into
/// that name, so that many hosts can check at once.
///
/// # Errors
/// When the store cannot be reached or refuses the keys; a store that lies is no error but a report.
pub async fn check(store: &Store, prefix: &str, who: &str) -> Result<CheckReport, StoreError> {
    let url = join(prefix, &format!("_check/{who}-{:016x}", rand::random::<u64>()));
    let content: Bytes = std::iter::repeat_with(rand::random::<u8>).take(CHECK_BYTES).collect();
    let (data, race) = (join(&url, "data"), join(&url, "create"));

    let report = async {
        let started = Instant::now();
        store.put(&data, content.clone()).await?;
        let write_ms = milliseconds(started.elapsed());
        let started = Instant::now();
        let read = store.get(&data, u64::try_from(CHECK_BYTES).unwrap_or(u64::MAX)).await;
        let read_ms = milliseconds(started.elapsed());
        let intact = match read {
            Ok(read) => read == content,
            Err(StoreError::TooLarge { .. }) => false,
            Err(error) => return Err(error),
        };
        let conditional_create = create_race(store, &race).await?;
        let sha256 = hex::encode(Sha256::digest(&content));
        Ok(CheckReport { url, bytes: CHECK_BYTES, sha256, intact, write_ms, read_ms, conditional_create })
    }
    .await;
    for leftover in [&data, &race] {
        if let Err(error) = store.delete(leftover).await {
            tracing::warn!(%error, "the check left an object behind");
        }
    }
    report
}

/// Several creators at once, then one more: exactly one of the first may win, and its content must stay.
async fn create_race(store: &Store, url: &str) -> Result<ConditionalCreate, StoreError> {
    let creators =
        (0..CREATORS).map(|creator| store.put_if_absent(url, Bytes::from(format!("creator {creator}"))));
    let won = futures::future::try_join_all(creators).await?;
    let winners: Vec<_> =
        won.iter().enumerate().filter(|(_, won)| **won).map(|(creator, _)| creator).collect();
    let late = store.put_if_absent(url, Bytes::from_static(b"too late")).await?;
    let stands = store.get(url, 64).await?;
    let honoured = match winners.as_slice() {
        [winner] => !late && stands == format!("creator {winner}"),
        _ => false,
    };
    Ok(if honoured { ConditionalCreate::Honoured } else { ConditionalCreate::Ignored })
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
