//! What can be wrong with a data folder, said so that the reader knows what to do. Nothing here deletes anything: a
//! damaged folder is evidence, and the node's id is spent with it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why the log cannot be opened, read or written.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The operating system refused.
    #[error("{path}: cannot {action}: {source}", path = .path.display())]
    Io {
        /// What was tried, as in "cannot ...".
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The answer.
        source: std::io::Error,
    },
    /// RocksDB refused for another reason than damage.
    #[error("{path}: cannot {action}: {message}", path = .path.display())]
    Database {
        /// What was tried, as in "cannot ...".
        action: &'static str,
        /// The data folder.
        path: PathBuf,
        /// RocksDB's words.
        message: String,
    },
    /// Too little room.
    #[error("{path}: {free} bytes are free, at least {min} are needed (limits.free_bytes_min): free some space or set \
             raft.data_dir to a folder on another disk", path = .path.display())]
    NoSpace {
        /// The data folder.
        path: PathBuf,
        /// Bytes that are free for this user.
        free: u64,
        /// Bytes that must be.
        min: u64,
    },
    /// The room ran out later: where the disk ends, or the user's quota.
    #[error("{path}: no room is left on its disk ({message}): free some space there, then start the node again",
            path = .path.display())]
    Full {
        /// The folder or file.
        path: PathBuf,
        /// What was refused.
        message: String,
    },
    /// A file system whose fsync and locks do not hold what the log needs.
    #[error("{path} is on {fs_type}, a network or shared file system: its fsync and locks cannot carry a Raft log; \
             set raft.data_dir to a folder on a local disk", path = .path.display())]
    RemoteFilesystem {
        /// The data folder.
        path: PathBuf,
        /// Its type, as the kernel names it.
        fs_type: String,
    },
    /// Another process uses the folder.
    #[error("{path} is in use by {holder}: stop it, or set raft.data_dir to another folder", path = .path.display())]
    Locked {
        /// The data folder.
        path: PathBuf,
        /// Process id and name, as far as they can be seen.
        holder: String,
    },
    /// The folder holds something, but not a log of ours.
    #[error("{path} is not empty and holds no log of this program (found {found}): set raft.data_dir to an empty \
             folder", path = .path.display())]
    NotOurs {
        /// The data folder.
        path: PathBuf,
        /// A file in it.
        found: String,
    },
    /// The folder belongs to another cluster or node.
    #[error("{path} belongs to {what} {found}, this is {what} {expected}: set raft.data_dir to the folder of this \
             node, or to an empty one for a new node id", path = .path.display())]
    Foreign {
        /// The data folder.
        path: PathBuf,
        /// `cluster` or `node`.
        what: &'static str,
        /// Who is starting.
        expected: String,
        /// Whose folder it is.
        found: String,
    },
    /// The folder was written by another version.
    #[error("{path} has format {found}, this program reads format {supported}: run the version that wrote it",
            path = .path.display())]
    Format {
        /// The data folder.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// Ours.
        supported: u32,
    },
    /// The folder is damaged where nothing can be cut.
    #[error("{path} is damaged ({place}: {detail}). Nothing was deleted and nothing will be written. This node's votes \
             and entries cannot be trusted any more: keep the folder, and leave this node stopped; the others go on \
             while they are a majority. This version has no command that replaces a member", path = .path.display())]
    Corrupt {
        /// The data folder.
        path: PathBuf,
        /// Which part of it.
        place: String,
        /// What does not fit.
        detail: String,
    },
    /// The configuration does not say where the log is to be.
    #[error("raft.data_dir is not set: name the folder of this node's log (or storage.log = \"memory\")")]
    NoFolder,
}

impl StorageError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                Self::Full { path, message: format!("cannot {action}: {source}") }
            }
            _ => Self::Io { action, path, source },
        }
    }

    pub(super) fn corrupt(path: &Path, place: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_path_buf(), place: place.into(), detail: detail.into() }
    }

    /// RocksDB's error, told apart by its kind: damage, a full disk, or anything else.
    pub(super) fn rocks(action: &'static str, path: &Path, error: &rocksdb::Error) -> Self {
        let message = error.to_string();
        match error.kind() {
            rocksdb::ErrorKind::Corruption => Self::corrupt(path, format!("cannot {action}"), message),
            // No kind of its own: RocksDB passes on what the C library says.
            _ if ["No space left on device", "Disk quota exceeded"]
                .iter()
                .any(|words| message.contains(words)) =>
            {
                Self::Full { path: path.to_path_buf(), message: format!("cannot {action}: {message}") }
            }
            _ => Self::Database { action, path: path.to_path_buf(), message },
        }
    }
}
