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
use std::sync::RwLock;

use rocksdb::{DB, ErrorKind, WriteBatch};

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
    let (witness, said) = Witness::open(dir)?;
    let (db, contents) = match options::open(&log, Recovery::Strict, false) {
        Ok(db) => {
            let contents = Contents::read(&db).map_err(|damage| damaged(&log, damage))?;
            (db, contents)
        }
        Err(error) if error.kind() == ErrorKind::Corruption => cut(dir, wanted, said, &error)?,
        Err(error) => return Err(refused(&log, &error)),
    };
    options::verify(&log)?;
    check_identity(dir, contents.identity.as_ref(), wanted)?;
    let sequence = db.latest_sequence_number();
    if let Some(said) = said.filter(|said| said.sequence > sequence) {
        let reason = format!("synced up to {}, but the log ends at {sequence} without a trace of the rest", said.sequence);
        set_in_doubt(dir, &reason)?;
    }
    witness.note(sequence)?;
    Ok(RocksLog { db, dir: dir.to_path_buf(), witness, contents: RwLock::new(contents) })
}

/// The strict mode refused. When the log is whole up to where the damage is, and nowhere else, the rest is cut. What
/// is cut may have been acknowledged: the node is in doubt, unless the witness knows that none of it was ever synced.
fn cut(
    dir: &Path,
    wanted: &Identity,
    said: Option<Statement>,
    why: &rocksdb::Error,
) -> Result<(DB, Contents), StorageError> {
    let log = dir.join(LOG_DIR);
    let contents = |db: &DB| Contents::read(db).map_err(|damage| damaged(&log, damage));
    // Look first: a folder that cannot be cut stays as it is.
    let sequence = {
        let db = options::look(&log).map_err(|error| StorageError::rocks("open the log", &log, &error))?;
        check_identity(dir, contents(&db)?.identity.as_ref(), wanted)?;
        db.latest_sequence_number()
    };
    if said.is_some_and(|said| said.same_boot && said.sequence <= sequence) {
        tracing::warn!(path = %log.display(), %why, "the log ends in a write that was never acknowledged: cut");
    } else {
        set_in_doubt(dir, &format!("{why}; what is left ends at {sequence}"))?;
    }
    {
        let db = options::open(&log, Recovery::Cut, false).map_err(|error| refused(&log, &error))?;
        contents(&db)?;
    }
    let db = options::open(&log, Recovery::Strict, false).map_err(|error| refused(&log, &error))?;
    let contents = contents(&db)?;
    Ok((db, contents))
}

/// Durable before anything is cut or written.
fn set_in_doubt(dir: &Path, reason: &str) -> Result<(), StorageError> {
    doubt::mark(dir, reason)?;
    tracing::error!(
        path = %dir.display(), reason,
        "THE TAIL OF THE LOG IS IN DOUBT: this node neither votes nor counts until it has caught up with a leader \
         that the others elected; with a majority of nodes in doubt an operator must decide"
    );
    Ok(())
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
        let content = minicbor::to_vec(identity)
            .map_err(|error| StorageError::io("encode the identity", &unborn)(std::io::Error::other(error)))?;
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
    let foreign = |what, expected: String, found: String| Err(StorageError::Foreign { path: path(), what, expected, found });
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

fn damaged(log: &Path, damage: Damage) -> StorageError {
    StorageError::corrupt(log, damage.place, damage.detail)
}

/// An error of opening: a lock that another process holds, damage, or something else.
fn refused(log: &Path, error: &rocksdb::Error) -> StorageError {
    if error.to_string().to_lowercase().contains("lock") {
        let holder = lock_holder(log).unwrap_or_else(|| "another part of this process".to_owned());
        return StorageError::Locked { path: log.to_path_buf(), holder };
    }
    match error.kind() {
        // Also a file that is named and not there: somebody deleted it.
        ErrorKind::Corruption | ErrorKind::InvalidArgument | ErrorKind::NotFound => {
            StorageError::corrupt(log, "RocksDB", error.to_string())
        }
        ErrorKind::IOError if error.to_string().contains("No such file") => {
            StorageError::corrupt(log, "RocksDB", error.to_string())
        }
        _ => StorageError::rocks("open the log", log, error),
    }
}
