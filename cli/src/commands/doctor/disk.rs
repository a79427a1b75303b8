//! The data folder: room, file system, and how long an fsync takes, which every write waits for.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use farquorum_config::Config;
use farquorum_node::storage::StorageError;

use super::report::{Check, Group};

/// Writes that are timed, each synced before the next.
const WRITES: usize = 100;
/// Bytes of one: about a small log entry with its frame.
const BYTES: usize = 4096;
/// Longest time for all of them: a disk that needs longer is known by then.
const TIME_MAX: Duration = Duration::from_secs(5);
/// p99 of an fsync that a log can live with.
const SYNC_GOOD: Duration = Duration::from_millis(10);

/// Looks. `runs`: a node of this host may be at it. Of a folder that is missing, the one in which it will be made: made by another user than the node's, it could
/// not be written by the node. The file that is timed has no name and goes by itself.
pub(super) fn look(config: &Config, folder: &Path, runs: bool, checks: &mut Vec<Check>) {
    let mut group = Group::new("disk", checks);
    let there = existing(folder);
    if there != folder {
        group.ok(format!("{} is not there; a node makes it, in {}", folder.display(), there.display()));
    }
    match farquorum_node::storage::check_data_dir(&there, config.limits.free_bytes_min) {
        Ok(()) => group.ok(format!("{} has room, and its file system is local", there.display())),
        // Looked at last: the rest is well. That it is this host's node is seen by its port.
        Err(StorageError::Locked { holder, .. }) if runs => {
            group.ok(format!("{} has room, and its file system is local; {holder} uses it", there.display()));
        }
        Err(error) => group.failed(error.to_string(), "another folder, or stop the node that holds this one"),
    }
    match sync_times(&there) {
        Ok(times) => judge(&times, config.raft.heartbeat, &mut group),
        Err(error) if there != folder => group.skipped(
            format!("{} cannot be written: {error}", there.display()),
            Some(
                "fine when the folder is made for the user that runs the node, as systemd does; else make it",
            ),
        ),
        Err(error) => group.failed(
            format!("{} cannot be written: {error}", folder.display()),
            "the user that runs the node must own the folder",
        ),
    }
}

/// Says that nobody named the folder.
pub(super) fn not_named(checks: &mut Vec<Check>) {
    let hint = "--data-dir FOLDER, or FARQUORUM_DATA_DIR: the node's folder for its log";
    Group::new("disk", checks).skipped("no data folder was named", Some(hint));
}

/// The folder when it is there, else the nearest one above it that is.
fn existing(folder: &Path) -> PathBuf {
    if folder.symlink_metadata().is_ok() {
        return folder.to_owned();
    }
    let full = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    full.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/")).to_owned()
}

fn judge(sorted: &[Duration], heartbeat: Duration, group: &mut Group<'_>) {
    let at = |hundredth: usize| {
        let place = (sorted.len().saturating_mul(hundredth) / 100).min(sorted.len().saturating_sub(1));
        sorted.get(place).copied().unwrap_or_default()
    };
    let (p50, p99) = (at(50), at(99));
    let found = format!("an fsync takes {p50:.1?} (p50), {p99:.1?} (p99) of {}", sorted.len());
    let hint = "a disk of its own, solid state; on a cloud gp3, pd-ssd, Premium SSD";
    if p99 > heartbeat {
        group.failed(format!("{found}; the leader's heartbeat is {heartbeat:?}"), hint);
    } else if p99 > SYNC_GOOD {
        group.warning(format!("{found}; every write waits for one"), hint);
    } else {
        group.ok(found);
    }
}

fn sync_times(folder: &Path) -> std::io::Result<Vec<Duration>> {
    let mut file = tempfile::tempfile_in(folder)?;
    let block = [0x5a_u8; BYTES];
    let begun = Instant::now();
    let mut times = Vec::with_capacity(WRITES);
    while times.len() < WRITES && (times.is_empty() || begun.elapsed() < TIME_MAX) {
        let start = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::report::State;

    #[test]
    fn a_folder_that_is_missing_stays_missing() {
        let config = farquorum_config::load(&Default::default()).unwrap().config;
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("a/b");
        let mut checks = Vec::new();
        look(&config, &folder, false, &mut checks);
        assert_eq!(std::fs::read_dir(above.path()).unwrap().count(), 0, "something was made");
        let said =
            format!("{} is not there; a node makes it, in {}", folder.display(), above.path().display());
        assert!(checks.iter().any(|check| check.found == said && check.state == State::Ok), "{checks:?}");
        let timed = checks.iter().any(|check| check.found.starts_with("an fsync takes"));
        assert!(timed, "{checks:?}");
    }

    #[test]
    fn a_slow_disk_is_named() {
        let table = [(1, State::Ok), (20, State::Warning), (200, State::Failed)];
        for (slowest_ms, state) in table {
            let mut times = vec![Duration::from_micros(300); 98];
            times.extend([Duration::from_millis(slowest_ms); 2]);
            let mut checks = Vec::new();
            judge(&times, Duration::from_millis(100), &mut Group::new("disk", &mut checks));
            assert_eq!(checks.pop().map(|check| check.state), Some(state), "{slowest_ms} ms");
        }
    }
}
