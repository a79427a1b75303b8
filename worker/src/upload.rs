//! Bringing local text into the object store.
//!
//! Files are joined into objects of some tens of megabytes, each file ending with a line end: a folder of ten thousand
//! small files would otherwise be ten thousand map tasks. Order is that of the paths, so the same folder gives the same
//! objects. Links are not followed (they may go in circles), and files that hold a NUL byte at their start are no text.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use farquorum_storage::{ObjectWriter, Store, join};

use crate::split::InputError;

/// An object is closed behind the file that brings it to this length.
const OBJECT_BYTES: u64 = 64 << 20;
/// Bytes that are looked at to tell text from the rest.
const SNIFF_BYTES: u64 = 8 << 10;
/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// Most files of one upload: their paths are held in memory.
const FILES_MAX: usize = 1_000_000;

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
    /// Files skipped: not readable, or not text.
    pub skipped: u64,
}

/// What was uploaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upload {
    /// The objects, in order.
    pub urls: Vec<String>,
    /// Final counts. Tell the user when `skipped` is not 0.
    pub progress: UploadProgress,
}

/// Uploads a file, or all text files of a folder and its subfolders, to objects below `prefix`. Calls `progress` after
/// every chunk.
///
/// # Errors
/// When the path does not exist, holds no text, or the store fails.
pub async fn upload(
    store: &Store,
    path: &Path,
    prefix: &str,
    mut progress: impl FnMut(UploadProgress),
) -> Result<Upload, InputError> {
    let (files, mut counts) = find(path)?;
    let mut objects = Objects { store, prefix, urls: Vec::new(), open: None };
    for file in files {
        let before = counts;
        match open_text(&file) {
            Ok(Some(mut content)) => {
                send(&file, &mut content, &mut objects, &mut counts, &mut progress).await?
            }
            Ok(None) => counts.skipped = before.skipped.saturating_add(1),
            Err(error) => {
                tracing::warn!(path = %file.display(), %error, "file skipped");
                counts.skipped = before.skipped.saturating_add(1);
            }
        }
        counts.files = counts.files.saturating_add(1);
        progress(counts);
    }
    objects.close().await?;
    if objects.urls.is_empty() {
        let detail =
            format!("no text in {} files ({} not readable or not text)", counts.files_total, counts.skipped);
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

/// All files in order, and what they sum up to.
fn find(path: &Path) -> Result<(Vec<PathBuf>, UploadProgress), InputError> {
    let local = |detail: String| InputError::Local { path: path.to_owned(), detail };
    let metadata = std::fs::metadata(path).map_err(|e| local(e.to_string()))?;
    let (mut files, mut counts) = (Vec::new(), UploadProgress::default());
    let mut folders = Vec::new();
    if metadata.is_dir() {
        folders.push(path.to_owned());
    } else {
        counts.bytes_total = metadata.len();
        files.push(path.to_owned());
    }
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            tracing::warn!(path = %folder.display(), "folder skipped: not readable");
            counts.skipped = counts.skipped.saturating_add(1);
            continue;
        };
        for entry in entries.flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) if metadata.is_file() => {
                    counts.bytes_total = counts.bytes_total.saturating_add(metadata.len());
                    files.push(entry.path());
                }
                _ => {}
            }
        }
        if files.len() > FILES_MAX {
            return Err(local(format!("more than {FILES_MAX} files; name a smaller folder")));
        }
    }
    files.sort_unstable();
    counts.files_total = u64::try_from(files.len()).unwrap_or(u64::MAX);
    Ok((files, counts))
}

/// The content of a file that is text; none when it is not.
fn open_text(path: &Path) -> io::Result<Option<impl Read + use<>>> {
    let mut file = File::open(path)?;
    let mut start = Vec::new();
    file.by_ref().take(SNIFF_BYTES).read_to_end(&mut start)?;
    Ok(if start.contains(&0) { None } else { Some(io::Cursor::new(start).chain(file)) })
}
