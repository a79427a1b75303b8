//! How RocksDB is opened, and a check that it took it so.

use std::fs;
use std::path::Path;

use rocksdb::{ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode, Options};

use super::super::StorageError;
use super::keys::FAMILIES;

const MIB: usize = 1 << 20;

/// What to do with a WAL that ends in nonsense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recovery {
    /// Refuse to open.
    Strict,
    /// Take what is whole up to the first damage, and drop the rest.
    Cut,
}

pub(super) fn open(log: &Path, recovery: Recovery, create: bool) -> Result<DB, rocksdb::Error> {
    let mut options = database_options(recovery);
    options.create_if_missing(create);
    options.create_missing_column_families(create);
    DB::open_cf_descriptors(&options, log, families())
}

/// Replays the WAL in memory only: changes nothing in the log, whatever it finds.
pub(super) fn look(log: &Path, recovery: Recovery) -> Result<DB, rocksdb::Error> {
    DB::open_cf_descriptors_read_only(&database_options(recovery), log, families(), false)
}

fn database_options(recovery: Recovery) -> Options {
    let mut options = Options::default();
    options.set_wal_recovery_mode(match recovery {
        Recovery::Strict => DBRecoveryMode::AbsoluteConsistency,
        Recovery::Cut => DBRecoveryMode::PointInTime,
    });
    // A recycled WAL ends in records of its former life: the strict mode cannot tell them from damage.
    options.set_recycle_log_file_num(0);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_paranoid_checks(true);
    options.set_manual_wal_flush(false);
    options.set_max_background_jobs(2);
    // Bounds what a start has to replay.
    options.set_max_total_wal_size(64 << 20);
    // RocksDB's own text log, not the WAL.
    options.set_max_log_file_size(4 * MIB);
    options.set_keep_log_file_num(4);
    options
}

fn families() -> impl Iterator<Item = ColumnFamilyDescriptor> {
    FAMILIES.into_iter().map(|name| {
        let mut options = Options::default();
        // Entries live shortly and payloads are often compressed already.
        options.set_compression_type(DBCompressionType::None);
        options.set_write_buffer_size(16 * MIB);
        ColumnFamilyDescriptor::new(name, options)
    })
}

/// RocksDB changes options that do not fit together without a word: reads back what it wrote down for this open.
pub(super) fn verify(log: &Path) -> Result<(), StorageError> {
    let list = fs::read_dir(log).map_err(StorageError::io("list", log))?;
    let newest = list
        .filter_map(Result::ok)
        .map(|file| file.path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("OPTIONS-")))
        .max();
    let newest =
        newest.ok_or_else(|| StorageError::corrupt(log, "OPTIONS", "RocksDB wrote down no options"))?;
    let text = fs::read_to_string(&newest).map_err(StorageError::io("read", &newest))?;
    for wanted in
        ["wal_recovery_mode=kAbsoluteConsistency", "recycle_log_file_num=0", "manual_wal_flush=false"]
    {
        if !text.lines().any(|line| line.trim() == wanted) {
            return Err(StorageError::Database {
                action: "use this build of RocksDB",
                path: newest,
                message: format!("it did not take {wanted}"),
            });
        }
    }
    Ok(())
}
