//! Damage to the files of a log. Whatever it is, the log must come back whole, or in doubt, or not at all; never
//! shorter without anyone noticing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, also outside its #[test] function"
)]

mod common;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use common::{append, compaction, describe, open, synced};
use farquorum_driver::Write;
use farquorum_node::storage::StorageError;

const MARK: &str = "IN_DOUBT";

/// A closed log in which 40 entries, a snapshot and a truncation are synced, most of it only in the WAL; also what it
/// says of itself.
fn log() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    // Closing writes the memory tables out: the WAL that is left then is that of the last opening.
    drop(open(dir.path()).unwrap());
    let log = open(dir.path()).unwrap();
    (1..=20).for_each(|at| append(log.as_ref(), at, at, 1));
    log.write(&compaction(20, 10, 1, 5000)).unwrap();
    (21..=40).for_each(|at| append(log.as_ref(), at, at, 2));
    let said = describe(log.as_ref());
    // A copy of the folder while it is open is what a killed process leaves.
    let copy = tempfile::tempdir().unwrap();
    copy_folder(dir.path(), copy.path());
    (copy, said)
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_dir() {
            copy_folder(&file.path(), &to.join(file.file_name()));
        } else {
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

/// Files of the log whose names pass, ordered; those with nothing in them left out.
fn files(dir: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir.join("log"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| {
            wanted(path.file_name().unwrap().to_str().unwrap()) && fs::metadata(path).unwrap().len() > 0
        })
        .collect();
    files.sort();
    files
}

fn wal(dir: &Path) -> PathBuf {
    files(dir, |name| name.ends_with(".log")).pop().unwrap()
}

/// Opens it. None: it refused, and left the files alone. Else whether it is whole; if not, it must be in doubt.
fn outcome(dir: &Path, whole: &str, damage: &str) -> Option<bool> {
    let names = |dir: &Path| {
        files(dir, |name| name.ends_with(".log") || name.ends_with(".sst") || name.starts_with("MANIFEST"))
    };
    let before = names(dir);
    match open(dir) {
        Err(error) => {
            assert!(matches!(error, StorageError::Corrupt { .. }), "{damage}: {error}");
            assert!(error.to_string().contains("leave this node stopped"), "{damage}: {error}");
            let after = names(dir);
            assert!(before.iter().all(|file| after.contains(file)), "{damage}: files are gone");
            None
        }
        Ok(log) if log.initial().unwrap().in_doubt => {
            assert!(dir.join(MARK).exists(), "{damage}");
            Some(false)
        }
        Ok(log) => {
            assert_eq!(describe(log.as_ref()), whole, "{damage}: taken as whole");
            Some(true)
        }
    }
}

#[test]
fn what_a_killed_process_leaves_is_whole() {
    let (dir, whole) = log();
    assert_eq!(outcome(dir.path(), &whole, "none"), Some(true));
    assert_eq!(outcome(dir.path(), &whole, "none, again"), Some(true));
}

/// Damages the last bytes of a file of this length.
type Damage = fn(file: &File, len: u64, bytes: u64);

const TAILS: &[(&str, Damage)] = &[
    ("short", |file, len, bytes| file.set_len(len - bytes).unwrap()),
    ("zeros", |file, len, bytes| {
        file.write_all_at(&vec![0; usize::try_from(bytes).unwrap()], len - bytes).unwrap();
    }),
    ("garbage", |file, len, bytes| {
        let garbage: Vec<u8> = (0..bytes).map(|at| u8::try_from((at * 151 + 77) % 256).unwrap()).collect();
        file.write_all_at(&garbage, len - bytes).unwrap();
    }),
];

#[test]
fn a_torn_tail_of_synced_writes_is_in_doubt() {
    let (pristine, whole) = log();
    let len = fs::metadata(wal(pristine.path())).unwrap().len();
    for (name, damage) in TAILS {
        // Steps of 13 bytes meet headers, bodies, and the ends of records.
        for bytes in (1..400).step_by(13).chain([2000, len - 100]) {
            let dir = tempfile::tempdir().unwrap();
            copy_folder(pristine.path(), dir.path());
            let file = File::options().write(true).open(wal(dir.path())).unwrap();
            damage(&file, len, bytes);
            drop(file);
            let result = outcome(dir.path(), &whole, &format!("{name}, {bytes} bytes"));
            assert_ne!(result, Some(true), "{name}, {bytes} bytes");
        }
    }
}

/// RocksDB alone does not see this one: the log is only shorter.
#[test]
fn a_log_cut_between_two_records_is_in_doubt() {
    let (dir, whole) = log();
    let path = wal(dir.path());
    let bytes = fs::read(&path).unwrap();
    // Record: crc u32, length u16, type u8. All of these fit in one block.
    let mut ends = vec![0];
    while let Some(header) = bytes.get(ends[ends.len() - 1]..).filter(|rest| rest.len() > 7) {
        ends.push(ends[ends.len() - 1] + 7 + usize::from(u16::from_le_bytes([header[4], header[5]])));
    }
    assert_eq!(ends[ends.len() - 1], bytes.len(), "the last record ends with the file");
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(u64::try_from(ends[ends.len() - 3]).unwrap()).unwrap();
    assert_eq!(outcome(dir.path(), &whole, "two records less"), Some(false));
    assert_eq!(outcome(dir.path(), &whole, "the doubt stays"), Some(false));
    let log = open(dir.path()).unwrap();
    assert_eq!(log.initial().unwrap().last_index, 38);
    append(log.as_ref(), 39, 41, 3);
    log.write(&Write { clear_in_doubt: true, ..synced() }).unwrap();
    let healed = describe(log.as_ref());
    drop(log);
    assert_eq!(outcome(dir.path(), &healed, "caught up"), Some(true));
}

/// A process that is killed while it writes: part of a record after everything that was synced.
#[test]
fn a_torn_tail_that_was_never_synced_is_no_doubt() {
    let (pristine, whole) = log();
    let path = wal(pristine.path());
    let bytes = fs::read(&path).unwrap();
    for torn in [1, 7, 20, 100] {
        let dir = tempfile::tempdir().unwrap();
        copy_folder(pristine.path(), dir.path());
        let file = File::options().append(true).open(wal(dir.path())).unwrap();
        // The first bytes of a record that says it is longer.
        let mut record = bytes[..7].to_vec();
        record[4..6].copy_from_slice(&1000_u16.to_le_bytes());
        record.resize(torn, 0x5a);
        file.write_all_at(&record, u64::try_from(bytes.len()).unwrap()).unwrap();
        drop(file);
        assert_eq!(outcome(dir.path(), &whole, &format!("{torn} bytes more")), Some(true));
    }
}

#[test]
fn a_flipped_byte_anywhere_is_detected_or_harmless() {
    let (pristine, whole) = log();
    // Once more with tables instead of a WAL.
    let tables = tempfile::tempdir().unwrap();
    copy_folder(pristine.path(), tables.path());
    drop(open(tables.path()).unwrap());
    let mut noticed = 0;
    for source in [pristine.path(), tables.path()] {
        let wanted = |name: &str| {
            name.ends_with(".log")
                || name.ends_with(".sst")
                || name.starts_with("MANIFEST")
                || name == "CURRENT"
        };
        for path in files(source, wanted) {
            let len = fs::metadata(&path).unwrap().len();
            let step = (len / 25).max(1) | 1;
            for at in (0..len).step_by(usize::try_from(step).unwrap()) {
                let dir = tempfile::tempdir().unwrap();
                copy_folder(source, dir.path());
                let target = dir.path().join("log").join(path.file_name().unwrap());
                let file = File::options().read(true).write(true).open(&target).unwrap();
                let mut byte = [0];
                file.read_exact_at(&mut byte, at).unwrap();
                file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
                drop(file);
                let damage = format!("byte {at} of {}", path.file_name().unwrap().display());
                noticed += u32::from(outcome(dir.path(), &whole, &damage) != Some(true));
            }
        }
    }
    assert!(noticed > 50, "only {noticed} flips were noticed: this test looks at the wrong files");
}

#[test]
fn a_missing_file_is_noticed() {
    let (pristine, whole) = log();
    drop(open(pristine.path()).unwrap());
    let all = files(pristine.path(), |name| {
        name.ends_with(".sst") || name.starts_with("MANIFEST") || name == "CURRENT"
    });
    assert!(all.len() > 3, "{all:?}");
    for path in all {
        let dir = tempfile::tempdir().unwrap();
        copy_folder(pristine.path(), dir.path());
        let name = path.file_name().unwrap();
        fs::remove_file(dir.path().join("log").join(name)).unwrap();
        assert_ne!(outcome(dir.path(), &whole, &format!("{} missing", name.display())), Some(true));
    }
    fs::remove_dir_all(pristine.path().join("log")).unwrap();
    let error = open(pristine.path()).err().unwrap().to_string();
    assert!(error.contains("SYNCED says that there was one"), "{error}");
}

/// The chain sees an entry that RocksDB's checksums accept: one of another log, put in place of ours.
#[test]
fn an_exchanged_entry_breaks_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    for (dir, term) in [(dir.path(), 1), (other.path(), 2)] {
        let log = open(dir).unwrap();
        (1..=9).for_each(|at| append(log.as_ref(), at, at, term));
    }
    let families = ["default", "log", "snapshot"];
    let raw =
        |dir: &Path| rocksdb::DB::open_cf(&rocksdb::Options::default(), dir.join("log"), families).unwrap();
    let (ours, theirs) = (raw(dir.path()), raw(other.path()));
    let key = 5_u64.to_be_bytes();
    let entry = theirs.get_cf(theirs.cf_handle("log").unwrap(), key).unwrap().unwrap();
    ours.put_cf(ours.cf_handle("log").unwrap(), key, entry).unwrap();
    drop((ours, theirs));
    let error = open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("log entry 5") && error.contains("follows an entry"), "{error}");
}
