//! Bringing local text into the object store.
//!
//! Files are joined into objects of some tens of megabytes, each file ending with a line end: a folder of ten thousand
//! small files would otherwise be ten thousand map tasks. Order is that of the paths, so the same folder gives the same
//! objects. `local` says which files count.
//!
//! The objects are the upload's own: it claims its prefix by a conditional create before it writes to it, so no other
//! upload can replace what a job is still to read.

use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;
use farquorum_storage::{ObjectWriter, Store, join};

use crate::local::{Skipped, find, open_text};
use crate::split::InputError;

/// An object is closed behind the file that brings it to this length.
const OBJECT_BYTES: u64 = 64 << 20;
/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// Name of the claim below the prefix.
const CLAIM: &str = "_claim";

/// How far an upload is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UploadProgress {
    /// Files done.
    pub files: u64,
    /// Files found.
    pub files_total: u64,
    /// Bytes sent.
    pub bytes: u64,
    /// Bytes found, those of files that will be skipped included.
    pub bytes_total: u64,
    /// What was left out.
    pub skipped: Skipped,
}

/// What was uploaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upload {
    /// The objects, in order.
    pub urls: Vec<String>,
    /// Final counts. Tell the user when something was skipped.
    pub progress: UploadProgress,
}

/// Uploads a file, or all text files of a folder and its subfolders, to objects below `prefix`. Calls `progress` after
/// every chunk.
///
/// # Errors
/// When the path does not exist, holds no text, another upload has the prefix, or the store fails.
pub async fn upload(
    store: &Store,
    path: &Path,
    prefix: &str,
    mut progress: impl FnMut(UploadProgress),
) -> Result<Upload, InputError> {
    let found = find(path)?;
    let mut counts = UploadProgress {
        files_total: u64::try_from(found.files.len()).unwrap_or(u64::MAX),
        bytes_total: found.bytes,
        skipped: found.skipped,
        ..UploadProgress::default()
    };
    let mut objects = Objects { store, prefix, urls: Vec::new(), open: None };
    for file in found.files {
        match open_text(&file) {
            Ok(Some(mut content)) => {
                send(&file, &mut content, &mut objects, &mut counts, &mut progress).await?
            }
            Ok(None) => counts.skipped.not_text = counts.skipped.not_text.saturating_add(1),
            Err(error) => {
                tracing::warn!(path = %file.display(), %error, "file skipped");
                counts.skipped.not_readable = counts.skipped.not_readable.saturating_add(1);
            }
        }
        counts.files = counts.files.saturating_add(1);
        progress(counts);
    }
    objects.close().await?;
    if objects.urls.is_empty() {
        let detail = match counts.skipped.total() {
            0 => "there is no text in it".to_owned(),
            _ => format!("there is no text in it ({})", counts.skipped),
        };
        return Err(InputError::Local { path: path.to_owned(), detail });
    }
    Ok(Upload { urls: objects.urls, progress: counts })
}

/// Appends one file.
async fn send(
    path: &Path,
    content: &mut impl Read,
    objects: &mut Objects<'_>,
    counts: &mut UploadProgress,
    progress: &mut impl FnMut(UploadProgress),
) -> Result<(), InputError> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut last = None;
    loop {
        let read = match content.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // Part of it is in the object already, so it cannot be skipped any more.
            Err(error) => return Err(InputError::Local { path: path.to_owned(), detail: error.to_string() }),
        };
        let bytes = chunk.get(..read).unwrap_or_default();
        objects.append(bytes).await?;
        last = bytes.last().copied();
        counts.bytes = counts.bytes.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        progress(*counts);
    }
    objects.end_file(last).await
}

/// The objects that are being written.
struct Objects<'a> {
    store: &'a Store,
    prefix: &'a str,
    urls: Vec<String>,
    /// The object that is open, and its length so far.
    open: Option<(ObjectWriter, u64)>,
}

impl Objects<'_> {
    async fn append(&mut self, bytes: &[u8]) -> Result<(), InputError> {
        if self.urls.is_empty() {
            self.claim().await?;
        }
        let (writer, length) = match &mut self.open {
            Some(open) => open,
            none => {
                let url = join(self.prefix, &format!("input-{:05}", self.urls.len()));
                let writer = self.store.writer(&url)?;
                self.urls.push(url);
                none.insert((writer, 0))
            }
        };
        writer.write(bytes).await?;
        *length = length.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Makes the prefix this upload's own.
    async fn claim(&self) -> Result<(), InputError> {
        let url = join(self.prefix, CLAIM);
        let mine = Bytes::from(format!("{:032x}\n", rand::random::<u128>()));
        // Not created: by another upload, or by this one whose answer was lost.
        let claimed = self.store.put_if_absent(&url, mine.clone()).await?
            || self.store.get_range(&url, 0..u64::try_from(mine.len()).unwrap_or(u64::MAX)).await? == mine;
        if claimed { Ok(()) } else { Err(InputError::Taken(self.prefix.to_owned())) }
    }

    /// A file ends: with a line end, or the last word of one would join the first of the next.
    async fn end_file(&mut self, last: Option<u8>) -> Result<(), InputError> {
        if last.is_some_and(|byte| byte != b'\n') {
            self.append(b"\n").await?;
        }
        if self.open.as_ref().is_some_and(|(_, length)| *length >= OBJECT_BYTES) {
            self.close().await
        } else {
            Ok(())
        }
    }

    async fn close(&mut self) -> Result<(), InputError> {
        if let Some((writer, _)) = self.open.take() {
            writer.finish().await?;
        }
        Ok(())
    }
}
