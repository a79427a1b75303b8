//! Cutting inputs at line ends.
//!
//! A split ends behind the first line end at or after its target length, so no line and no word is ever in two. A map
//! task holds its split's distinct words in memory, so a line that is longer than a split may be is refused.

use farquorum_core::InputSplit;
use farquorum_storage::{ObjectInfo, Store, StoreError, is_bucket};
use futures::TryStreamExt;

use crate::tasks::SPLIT_BYTES_MAX;

/// Length of a split when nothing else is asked for: some seconds of work.
pub const SPLIT_BYTES_DEFAULT: u64 = 32 << 20;
/// Bytes that are read to find the next line end; most lines end within.
const PROBE_BYTES: u64 = 64 << 10;
/// Most objects of one job.
const OBJECTS_MAX: usize = 100_000;

/// Why an input cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// Nothing is there.
    #[error("input {0} does not exist: no such object, and no objects below it")]
    Missing(String),
    /// Only empty objects.
    #[error("input {0} is empty: there is nothing to do")]
    Empty(String),
    /// Too many objects.
    #[error("input {url} has more than {max} objects; join small files first, or name a narrower prefix")]
    TooMany {
        /// The prefix.
        url: String,
        /// What is allowed.
        max: usize,
    },
    /// A line that no split can hold.
    #[error("input {url}: the line at byte {offset} is longer than {max} bytes")]
    LineTooLong {
        /// The object.
        url: String,
        /// Where the split that holds the line starts.
        offset: u64,
        /// What is allowed.
        max: u64,
    },
    /// Another upload goes to the same prefix.
    #[error("{0} holds the input of another upload; choose another prefix")]
    Taken(String),
    /// A file or folder of this host.
    #[error("input {path}: {detail}")]
    Local {
        /// Which.
        path: std::path::PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The objects that a URL means: itself, or all below it in order of their URLs.
///
/// # Errors
/// When there is none.
pub async fn resolve(store: &Store, url: &str) -> Result<Vec<ObjectInfo>, InputError> {
    match store.head(url).await {
        Ok(object) => return Ok(vec![object]),
        Err(StoreError::NotFound { .. }) => {}
        // A prefix with no key of its own (a whole bucket) cannot be looked at.
        Err(_) if is_bucket(url) => {}
        Err(error) => return Err(error.into()),
    }
    let mut list = match store.list(url) {
        Ok(list) => list,
        Err(error) => return Err(error.into()),
    };
    let mut objects = Vec::new();
    while let Some(object) = list.try_next().await? {
        if objects.len() >= OBJECTS_MAX {
            return Err(InputError::TooMany { url: url.to_owned(), max: OBJECTS_MAX });
        }
        objects.push(object);
    }
    if objects.is_empty() {
        return Err(InputError::Missing(url.to_owned()));
    }
    objects.sort_unstable_by(|a, b| a.url.cmp(&b.url));
    Ok(objects)
}

/// Cuts all objects below the URLs into splits of about `target_bytes` (1 to [`SPLIT_BYTES_MAX`], clamped). `cloud` is
/// where the store is, empty when unknown.
///
/// # Errors
/// When a URL means nothing, all is empty, or a line is too long.
pub async fn plan_splits(
    store: &Store,
    urls: &[String],
    target_bytes: u64,
    cloud: &str,
) -> Result<Vec<InputSplit>, InputError> {
    let target = target_bytes.clamp(1, SPLIT_BYTES_MAX);
    let mut splits = Vec::new();
    for url in urls {
        for object in resolve(store, url).await? {
            cut(store, &object, target, cloud, &mut splits).await?;
        }
    }
    if splits.is_empty() {
        return Err(InputError::Empty(urls.join(", ")));
    }
    Ok(splits)
}

async fn cut(
    store: &Store,
    object: &ObjectInfo,
    target: u64,
    cloud: &str,
    splits: &mut Vec<InputSplit>,
) -> Result<(), InputError> {
    let mut offset = 0;
    while offset < object.length {
        let wanted = offset.saturating_add(target);
        let end = if wanted >= object.length {
            object.length
        } else {
            line_end(store, object, offset, wanted).await?
        };
        let length = end.saturating_sub(offset);
        if length > SPLIT_BYTES_MAX {
            return Err(too_long(object, offset));
        }
        splits.push(InputSplit { url: object.url.clone(), offset, length, cloud: cloud.to_owned() });
        offset = end;
    }
    Ok(())
}

/// First byte behind the line that holds byte `wanted - 1`.
async fn line_end(store: &Store, object: &ObjectInfo, offset: u64, wanted: u64) -> Result<u64, InputError> {
    let mut at = wanted.saturating_sub(1);
    while at < object.length {
        if at.saturating_sub(offset) > SPLIT_BYTES_MAX {
            return Err(too_long(object, offset));
        }
        let end = at.saturating_add(PROBE_BYTES).min(object.length);
        let piece = store.get_range(&object.url, at..end).await?;
        if let Some(found) = piece.iter().position(|byte| *byte == b'\n') {
            return Ok(at.saturating_add(u64::try_from(found).unwrap_or(u64::MAX)).saturating_add(1));
        }
        at = end;
    }
    Ok(object.length)
}

fn too_long(object: &ObjectInfo, offset: u64) -> InputError {
    InputError::LineTooLong { url: object.url.clone(), offset, max: SPLIT_BYTES_MAX }
}
