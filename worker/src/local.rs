//! Text files of this host: which there are below a path, and what of it is no text file.
//!
//! A link is followed to a regular file and no further: links to folders may go in circles. A pipe, a socket or a
//! device is never opened, since that may wait for ever for somebody at the other end.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::split::InputError;

/// Bytes that are looked at to tell text from the rest.
const SNIFF_BYTES: u64 = 8 << 10;
/// Most files of one upload: their paths are held in memory.
const FILES_MAX: usize = 1_000_000;

/// What is left out, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Files that hold a zero byte near their start.
    pub not_text: u64,
    /// Files and folders that cannot be read.
    pub not_readable: u64,
    /// Links to folders, or to nothing.
    pub links: u64,
    /// Pipes, sockets, devices.
    pub special: u64,
}

impl Skipped {
    /// All of them.
    pub fn total(&self) -> u64 {
        [self.not_text, self.not_readable, self.links, self.special]
            .iter()
            .fold(0, |a, b| a.saturating_add(*b))
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let links =
            if self.links == 1 { "link to a folder or to nothing" } else { "links to folders or to nothing" };
        let special = if self.special == 1 { "pipe, socket or device" } else { "pipes, sockets or devices" };
        let reasons = [
            (self.not_text, "not text"),
            (self.not_readable, "not readable"),
            (self.links, links),
            (self.special, special),
        ];
        let said =
            reasons.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{count} {why}"));
        f.write_str(&said.collect::<Vec<_>>().join(", "))
    }
}

/// What is below a path.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Regular files in order of their paths.
    pub(crate) files: Vec<PathBuf>,
    /// Bytes in them.
    pub(crate) bytes: u64,
    /// What else there is.
    pub(crate) skipped: Skipped,
}

impl Found {
    fn file(&mut self, path: PathBuf, length: u64) {
        self.bytes = self.bytes.saturating_add(length);
        self.files.push(path);
    }

    /// One entry of a folder; gives back a folder to go into.
    fn entry(&mut self, entry: &std::fs::DirEntry) -> Option<PathBuf> {
        let path = entry.path();
        let one_more = |count: &mut u64| *count = count.saturating_add(1);
        match entry.metadata() {
            Ok(own) if own.is_dir() => return Some(path),
            Ok(own) if own.is_file() => self.file(path, own.len()),
            Ok(own) if own.is_symlink() => match std::fs::metadata(&path) {
                Ok(target) if target.is_file() => self.file(path, target.len()),
                Ok(target) if !target.is_dir() => one_more(&mut self.skipped.special),
                _ => one_more(&mut self.skipped.links),
            },
            Ok(_) => one_more(&mut self.skipped.special),
            Err(_) => one_more(&mut self.skipped.not_readable),
        }
        None
    }
}

/// All files at or below a path.
///
/// # Errors
/// When nothing is there, it is neither a file nor a folder, or there are too many.
pub(crate) fn find(path: &Path) -> Result<Found, InputError> {
    let local = |detail: String| InputError::Local { path: path.to_owned(), detail };
    let metadata = std::fs::metadata(path).map_err(|error| local(error.to_string()))?;
    let mut found = Found::default();
    let mut folders = Vec::new();
    if metadata.is_dir() {
        folders.push(path.to_owned());
    } else if metadata.is_file() {
        found.file(path.to_owned(), metadata.len());
    } else {
        return Err(local("it is a pipe, a socket or a device; name a file or a folder".to_owned()));
    }
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            tracing::warn!(path = %folder.display(), "folder skipped: not readable");
            found.skipped.not_readable = found.skipped.not_readable.saturating_add(1);
            continue;
        };
        folders.extend(entries.flatten().filter_map(|entry| found.entry(&entry)));
        if found.files.len() > FILES_MAX {
            return Err(local(format!("more than {FILES_MAX} files; name a smaller folder")));
        }
    }
    found.files.sort_unstable();
    Ok(found)
}

/// The content of a file that is text; none when it is not.
pub(crate) fn open_text(path: &Path) -> io::Result<Option<impl Read + use<>>> {
    // Does not wait, should a pipe have taken the file's place meanwhile; a regular file is read as without it.
    let mut file: File = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file any more"));
    }
    let mut start = Vec::new();
    file.by_ref().take(SNIFF_BYTES).read_to_end(&mut start)?;
    Ok(if start.contains(&0) { None } else { Some(io::Cursor::new(start).chain(file)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_skipped_is_said_with_its_reasons() {
        let skipped = Skipped { not_text: 1, not_readable: 0, links: 2, special: 1 };
        assert_eq!(skipped.total(), 4);
        assert_eq!(
            skipped.to_string(),
            "1 not text, 2 links to folders or to nothing, 1 pipe, socket or device"
        );
    }
}
