//! Who may start, stop or delete the simulation of a name: whoever holds its lock (flock(2) of a file in its folder).
//! `sim up` takes it before it makes anything, and the supervisor, forked from it, holds it for its life: the kernel
//! gives it back with the last process that has it, however that ended. Programs that the supervisor runs do not get it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::folder::Folder;
use crate::failure::{Failure, Kind};
use crate::paths;

/// How long one that ends at the moment is waited for: seconds on a machine that swaps.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Pause between two tries.
pub(crate) const TRY_AGAIN: Duration = Duration::from_millis(20);

/// Times that the file may be deleted between opening and locking it: somebody purges then, and once is rare.
const DELETED_MAX: usize = 100;

/// The right to start, stop or delete the simulation of a name.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    folder: Folder,
}

impl Lock {
    /// Takes it; `None` when somebody else has it. Makes the folder when it is missing.
    pub(crate) fn try_take(folder: &Folder) -> Result<Option<Self>, Failure> {
        let path = folder.lock();
        for _ in 0..DELETED_MAX {
            paths::make_folder(&folder.root)?;
            let opened = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path);
            let file = match opened {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                other => other.map_err(|error| unusable(folder, &error))?,
            };
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(unusable(folder, &error)),
                Ok(()) => {}
            }
            // A file that was deleted meanwhile locks nothing.
            if is_at(&file, folder) {
                paths::give_to_caller(&path)?;
                let lock = Self { file, folder: folder.clone() };
                lock.is_held_by(&[nix::unistd::getpid()]);
                return Ok(Some(lock));
            }
        }
        Err(Failure::failed(format!("{} is deleted again and again", path.display())))
    }

    /// Takes it, and waits a moment for one that ends. Who has it longer is named.
    pub(crate) fn take(folder: &Folder) -> Result<Self, Failure> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(lock) = Self::try_take(folder)? {
                return Ok(lock);
            }
            if Instant::now() >= until {
                return Err(held(folder));
            }
            std::thread::sleep(TRY_AGAIN);
        }
    }

    /// Notes which processes hold it, for [`held`]: first the one that a person may end with `kill`.
    pub(crate) fn is_held_by(&self, processes: &[Pid]) {
        let lines: String = processes.iter().map(|pid| format!("{pid}\n")).collect();
        let mut file = &self.file;
        // The note is for people: the lock holds without it.
        let _unwritten =
            file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(lines.as_bytes()));
    }

    /// Deletes everything in the folder but the lock.
    pub(crate) fn clear(&self) -> Result<(), Failure> {
        let failed = |error| cannot_delete(&self.folder, &error);
        for entry in fs::read_dir(&self.folder.root).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.path() == self.folder.lock() {
                continue;
            }
            let folder = entry.file_type().map_err(failed)?.is_dir();
            let deleted =
                if folder { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
            deleted.map_err(failed)?;
        }
        Ok(())
    }

    /// Deletes the folder with everything in it.
    pub(crate) fn purge(self) -> Result<(), Failure> {
        self.clear()?;
        fs::remove_file(self.folder.lock()).map_err(|error| cannot_delete(&self.folder, &error))?;
        match fs::remove_dir(&self.folder.root) {
            // Somebody starts anew already.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
            other => other.map_err(|error| cannot_delete(&self.folder, &error)),
        }
    }
}

/// Why the lock cannot be had: who has it, and how to go on.
pub(crate) fn held(folder: &Folder) -> Failure {
    let name = folder.root.file_name().unwrap_or_default().to_string_lossy();
    let note = fs::read_to_string(folder.lock()).unwrap_or_default();
    let pids: Vec<Pid> = note.lines().filter_map(|line| Some(Pid::from_raw(line.parse().ok()?))).collect();
    let lives = |pid: Pid| !matches!(kill(pid, None), Err(Errno::ESRCH));
    let (by, end) = match pids.iter().position(|pid| lives(*pid)).map(|at| (at, pids.get(at))) {
        Some((0, Some(pid))) => (format!(" by process {pid}"), format!("; kill {pid} ends that")),
        // Who started it is gone. Pid 1 of a namespace heeds SIGTERM only when it is ready for it.
        Some((_, Some(pid))) => {
            (format!("; its supervisor is process {pid}"), format!("; kill -9 {pid} ends it"))
        }
        _ => (String::new(), String::new()),
    };
    let message = format!("a simulation named {name:?} is just being started or stopped{by}");
    Failure::new(Kind::Refused, message)
        .hint(format!("wait until it is done{end}; farquorum sim --name NAME runs one beside it"))
}

/// Whether the folder's lock is still this file.
fn is_at(file: &File, folder: &Folder) -> bool {
    match (file.metadata(), fs::metadata(folder.lock())) {
        (Ok(mine), Ok(there)) => (mine.dev(), mine.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

fn unusable(folder: &Folder, error: &std::io::Error) -> Failure {
    let what = format!("cannot lock {}: {error}", folder.lock().display());
    if error.kind() == ErrorKind::PermissionDenied {
        return Failure::new(Kind::Refused, what).hint("the same with sudo, as it was started");
    }
    Failure::failed(what)
}

fn cannot_delete(folder: &Folder, error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot delete {}: {error}", folder.root.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_until_all_its_copies_are_closed() {
        let state = tempfile::tempdir().unwrap();
        let folder = Folder { root: state.path().join("one") };
        let lock = Lock::try_take(&folder).unwrap().unwrap();
        assert!(Lock::try_take(&folder).unwrap().is_none());
        let said = format!("{:?}", held(&folder));
        assert!(said.contains(&format!("by process {}", std::process::id())), "{said}");
        // As a supervisor has it after the fork.
        let copy = lock.file.try_clone().unwrap();
        drop(lock);
        assert!(Lock::try_take(&folder).unwrap().is_none());
        drop(copy);

        let lock = Lock::try_take(&folder).unwrap().unwrap();
        fs::create_dir_all(folder.root.join("data/cp-aws-1")).unwrap();
        fs::write(folder.root.join("context.toml"), "").unwrap();
        lock.clear().unwrap();
        assert_eq!(fs::read_dir(&folder.root).unwrap().count(), 1, "the lock");
        lock.purge().unwrap();
        assert!(!folder.root.exists());
    }

    /// Who waits for the lock of a folder that is purged gets one of the folder that is there afterwards.
    #[test]
    fn a_deleted_file_locks_nothing() {
        let state = tempfile::tempdir().unwrap();
        let folder = Folder { root: state.path().join("one") };
        let lock = Lock::try_take(&folder).unwrap().unwrap();
        assert!(is_at(&lock.file, &folder));
        fs::remove_file(folder.lock()).unwrap();
        assert!(!is_at(&lock.file, &folder));
        let other = Lock::try_take(&folder).unwrap().unwrap();
        assert!(is_at(&other.file, &folder) && !is_at(&lock.file, &folder));
    }
}
