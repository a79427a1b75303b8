//! From a data folder to a log that may be trusted, or to a reason why not.
//!
//! ```text
//! log/       RocksDB                                (absent: a new folder, which must be empty)
//! log.new/   a log that was not finished being made (nothing was ever acknowledged from it; made again)
//! SYNCED     how far the log was synced             (see `witness`)
//! IN_DOUBT   the tail was cut                       (see `doubt`)
//! ```

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::sync::{Mutex, RwLock};

use rocksdb::{ErrorKind, WriteBatch};

use super::super::identity::{FORMAT, Identity};
use super::super::preflight::lock_holder;
use super::super::witness::{self, Statement, Witness};
use super::super::{StorageError, doubt, record};
use super::contents::{Contents, Damage};
use super::options::{self, Recovery};
use super::{RocksLog, keys, write_options};

/// RocksDB's folder inside the data folder.
pub(in super::super) const LOG_DIR: &str = "log";
const UNBORN_DIR: &str = "log.new";

/// Opens the log in `dir`, or makes a new one in an empty folder. `wanted` says whose it must be; its store id and
/// founders only count for a new one.
///
/// # Errors
/// A folder of somebody else, one in use, one that is damaged. Nothing is deleted in any of these cases.
pub(in super::super) fn open(dir: &Path, wanted: &Identity) -> Result<RocksLog, StorageError> {
    let log = dir.join(LOG_DIR);
    if !log.try_exists().map_err(StorageError::io("look into", dir))? {
        make(dir, wanted)?;
    }
    if let Some(holder) = lock_holder(&log) {
        return Err(StorageError::Locked { path: log, holder });
    }
    let (witness, said) = Witness::open(dir)?;
    let seen = look(dir, wanted)?;
    let doubt = doubt(&seen, said);
    if let Some(reason) = &doubt {
        // Durable before anything is cut or written.
        doubt::mark(dir, reason)?;
        tracing::error!(
            path = %dir.display(), reason,
            "THE TAIL OF THE LOG IS IN DOUBT: this node neither votes nor counts until it has caught up with a \
             leader that the others elected; with a majority of nodes in doubt an operator must decide"
        );
    }
    if let Some(torn) = &seen.torn {
        tracing::warn!(path = %log.display(), %torn, in_doubt = doubt.is_some(), "the log ends in half a write: cut");
        drop(options::open(&log, Recovery::Cut, false).map_err(|error| refused(&log, &error))?);
    }
    // What a killed process left in the page cache only is synced by this: RocksDB writes what it replays from the WAL
    // into tables, and syncs them, before it returns.
    let db = options::open(&log, Recovery::Strict, false).map_err(|error| refused(&log, &error))?;
    options::verify(&log)?;
    witness.note(db.latest_sequence_number())?;
    Ok(RocksLog {
        db,
        dir: dir.to_path_buf(),
        witness,
        contents: RwLock::new(seen.contents),
        writing: Mutex::default(),
    })
}

/// What a log holds that was only looked at.
struct Seen {
    contents: Contents,
    /// RocksDB's last sequence number in what is whole.
    sequence: u64,
    /// The WAL ends in something that is no record: RocksDB's words.
    torn: Option<rocksdb::Error>,
}

/// Reads and checks all of it without changing anything, so that a folder that is refused stays as it was. When the
/// strict mode refuses, what is whole up to the damage is read instead.
fn look(dir: &Path, wanted: &Identity) -> Result<Seen, StorageError> {
    let log = dir.join(LOG_DIR);
    let (db, torn) = match options::look(&log, Recovery::Strict) {
        Ok(db) => (db, None),
        Err(error) if error.kind() == ErrorKind::Corruption => {
            let db = options::look(&log, Recovery::Cut).map_err(|error| refused(&log, &error))?;
            (db, Some(error))
        }
        Err(error) => return Err(refused(&log, &error)),
    };
    let contents =
        Contents::read(&db).map_err(|Damage { place, detail }| StorageError::corrupt(&log, place, detail))?;
    check_identity(dir, contents.identity.as_ref(), wanted)?;
    Ok(Seen { contents, sequence: db.latest_sequence_number(), torn })
}

/// Whether something that was acknowledged may be missing, and why. A torn end is no reason when the witness knows
/// that it was never synced.
fn doubt(seen: &Seen, said: Option<Statement>) -> Option<String> {
    let Seen { sequence, torn, .. } = seen;
    match (said, torn) {
        (Some(said), _) if said.sequence > *sequence => {
            Some(format!("everything up to {} was synced, but the log ends at {sequence}", said.sequence))
        }
        (Some(said), Some(_)) if said.same_boot => None,
        (_, Some(torn)) => Some(format!("{torn}; what is left ends at {sequence}")),
        (_, None) => None,
    }
}

/// Makes a log that is whole from its first moment: elsewhere first, with its identity synced, then under its name.
fn make(dir: &Path, identity: &Identity) -> Result<(), StorageError> {
    for file in fs::read_dir(dir).map_err(StorageError::io("list", dir))? {
        let name = file.map_err(StorageError::io("list", dir))?.file_name();
        if name == witness::FILE || name == doubt::FILE {
            let detail = format!("is missing, but {} says that there was one", name.to_string_lossy());
            return Err(StorageError::corrupt(dir, LOG_DIR, detail));
        }
        if name != UNBORN_DIR && name != OsStr::new("lost+found") {
            let found = name.to_string_lossy().into_owned();
            return Err(StorageError::NotOurs { path: dir.to_path_buf(), found });
        }
    }
    let unborn = dir.join(UNBORN_DIR);
    if unborn.exists() {
        fs::remove_dir_all(&unborn).map_err(StorageError::io("clear the unfinished log", &unborn))?;
    }
    let made = |error: rocksdb::Error| StorageError::rocks("make a log", &unborn, &error);
    {
        let db = options::open(&unborn, Recovery::Strict, true).map_err(made)?;
        let content = minicbor::to_vec(identity).map_err(|error| {
            StorageError::io("encode the identity", &unborn)(std::io::Error::other(error))
        })?;
        let mut first = WriteBatch::default();
        first.put(keys::IDENTITY, record::seal(keys::IDENTITY, &content));
        db.write_opt(first, &write_options(true)).map_err(made)?;
    }
    let sync = |path: &Path| File::open(path).and_then(|dir| dir.sync_all());
    sync(&unborn)
        .and_then(|()| fs::rename(&unborn, dir.join(LOG_DIR)))
        .and_then(|()| sync(dir))
        .map_err(StorageError::io("name the new log", dir))
}

fn check_identity(dir: &Path, found: Option<&Identity>, wanted: &Identity) -> Result<(), StorageError> {
    let path = || dir.to_path_buf();
    let Some(found) = found else {
        return Err(StorageError::corrupt(dir, "record identity", "is missing"));
    };
    if found.format != FORMAT {
        return Err(StorageError::Format { path: path(), found: found.format, supported: FORMAT });
    }
    let foreign = |what, expected: String, found: String| {
        Err(StorageError::Foreign { path: path(), what, expected, found })
    };
    if found.cluster != wanted.cluster {
        return foreign("cluster", wanted.cluster.clone(), found.cluster.clone());
    }
    if found.node != wanted.node {
        return foreign("node", wanted.node.to_string(), found.node.to_string());
    }
    if !wanted.founders.is_empty() && !found.founders.is_empty() && found.founders != wanted.founders {
        tracing::warn!(
            path = %dir.display(),
            "the file names other members than at bootstrap; membership comes from the log, the file does not change it"
        );
    }
    Ok(())
}

/// An error of opening: a lock that another process holds, damage, or something else.
fn refused(log: &Path, error: &rocksdb::Error) -> StorageError {
    let message = error.to_string();
    // No kind of its own tells a lock from other IO errors.
    if ["While lock file", "lock hold by"].iter().any(|words| message.contains(words)) {
        let holder = lock_holder(log).unwrap_or_else(|| "another part of this process".to_owned());
        return StorageError::Locked { path: log.to_path_buf(), holder };
    }
    match error.kind() {
        // Also a file that is named and not there: somebody deleted it.
        ErrorKind::Corruption | ErrorKind::InvalidArgument | ErrorKind::NotFound => {
            StorageError::corrupt(log, "RocksDB", message)
        }
        ErrorKind::IOError if message.contains("No such file") => {
            StorageError::corrupt(log, "RocksDB", message)
        }
        _ => StorageError::rocks("open the log", log, error),
    }
}
