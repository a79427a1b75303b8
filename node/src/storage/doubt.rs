//! The mark of a log whose tail is in doubt: a file in the data folder, readable by people.
//!
//! It is made and synced before the tail is cut, and removed only when the node has caught up with a leader that the
//! others elected. So a crash at any point between leaves the node in doubt. While it is there the node neither votes
//! nor counts towards a quorum: entries or a vote that it had acknowledged may be in what was cut.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::StorageError;

/// File name in the data folder.
pub(super) const FILE: &str = "IN_DOUBT";

pub(super) fn is_marked(dir: &Path) -> Result<bool, StorageError> {
    dir.join(FILE).try_exists().map_err(StorageError::io("look for the mark", dir))
}

/// Marks the log as in doubt, durably. The first reason stays.
pub(super) fn mark(dir: &Path, reason: &str) -> Result<(), StorageError> {
    let path = dir.join(FILE);
    let mut file = match File::create_new(&path) {
        Ok(file) => file,
        // Whoever made it may have ended before it was durable.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return sync_dir(dir),
        Err(error) => return Err(StorageError::io("create", &path)(error)),
    };
    let text = format!(
        "The tail of this node's log was damaged and cut: {reason}\nUntil it has caught up with a leader that the \
         others elected, this node does not vote. Do not remove this file by hand.\n"
    );
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(StorageError::io("write", &path))?;
    sync_dir(dir)
}

/// Takes the mark away, durably.
pub(super) fn clear(dir: &Path) -> Result<(), StorageError> {
    let path = dir.join(FILE);
    match fs::remove_file(&path) {
        Ok(()) => sync_dir(dir),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(StorageError::io("remove", &path)(error)),
    }
}

fn sync_dir(dir: &Path) -> Result<(), StorageError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(StorageError::io("sync the data folder", dir))
}
