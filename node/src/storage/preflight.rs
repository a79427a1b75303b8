//! Looks at a data folder before anything is written: is there room, does the file system keep its promises, does
//! another process hold it? The decisions are plain functions of what the kernel says.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::statvfs::statvfs;

use super::StorageError;

/// Types (field "filesystem type" of `/proc/self/mountinfo`) whose fsync or locks end at another machine or at the
/// hypervisor. FUSE file systems are named one by one: some of them are local.
const REMOTE: &[&str] = &[
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "davfs",
    "fuse.curlftpfs",
    "fuse.gcsfuse",
    "fuse.glusterfs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.sshfs",
    "glusterfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "prl_fs",
    "smb2",
    "smb3",
    "smbfs",
    "vboxsf",
    "virtiofs",
    "vmhgfs",
    "fuse.vmhgfs-fuse",
];

/// Refuses a data folder that cannot carry a log: less than `free_bytes_min` free, a network or 9p file system, or
/// one that another process holds. Creates the folder when it is missing; writes nothing else.
///
/// # Errors
/// `NoSpace`, `RemoteFilesystem`, `Locked`, or `Io` when the folder cannot be made or looked at.
pub fn check_data_dir(path: &Path, free_bytes_min: u64) -> Result<(), StorageError> {
    fs::create_dir_all(path).map_err(StorageError::io("create the data folder", path))?;
    let full = path.canonicalize().map_err(StorageError::io("resolve the data folder", path))?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    if let Some(fs_type) = filesystem_of(&full, &mounts).filter(|fs_type| REMOTE.contains(&fs_type.as_str()))
    {
        return Err(StorageError::RemoteFilesystem { path: full, fs_type });
    }
    let stat = statvfs(&full).map_err(|error| StorageError::io("ask for free space", path)(error.into()))?;
    let free = stat.blocks_available().saturating_mul(stat.fragment_size());
    if free < free_bytes_min {
        return Err(StorageError::NoSpace { path: full, free, min: free_bytes_min });
    }
    match lock_holder(&full.join(super::rocks::LOG_DIR)) {
        Some(holder) => Err(StorageError::Locked { path: full, holder }),
        None => Ok(()),
    }
}

/// Type of the file system that `path` (absolute, without links) is on: that of the longest mount point above it, and
/// of those the last mounted.
fn filesystem_of(path: &Path, mountinfo: &str) -> Option<String> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let point = PathBuf::from(unescape(left.split(' ').nth(4)?));
        Some((point, right.split(' ').next()?.to_owned()))
    });
    mounts
        .filter(|(point, _)| path.starts_with(point))
        .max_by_key(|(point, _)| point.components().count())
        .map(|(_, fs_type)| fs_type)
}

/// The kernel writes space, tab, newline and backslash in a mount point as `\` and three octal digits.
fn unescape(field: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(field.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Who holds RocksDB's lock on its folder `log`. Only other processes are seen, and a look drops the own process's
/// lock (fcntl(2)): call it before the own log is open, or when opening it failed.
pub(super) fn lock_holder(log: &Path) -> Option<String> {
    let file = File::options().read(true).write(true).open(log.join("LOCK")).ok()?;
    let mut ask = libc::flock {
        l_type: libc::c_short::try_from(libc::F_WRLCK).ok()?,
        l_whence: libc::c_short::try_from(libc::SEEK_SET).ok()?,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_GETLK(&mut ask)).ok()?;
    if libc::c_int::from(ask.l_type) == libc::F_UNLCK {
        return None;
    }
    let name = fs::read_to_string(format!("/proc/{}/comm", ask.l_pid)).unwrap_or_default();
    Some(match (ask.l_pid, name.trim()) {
        (pid, "") if pid <= 0 => "a process of another container or machine".to_owned(),
        (pid, "") => format!("process {pid}"),
        (pid, name) => format!("process {pid} ({name})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:25 / /mnt rw - 9p share rw
31 22 0:26 / /mnt/local rw - xfs /dev/vdb rw
32 22 0:27 / /srv/two\\040words rw - nfs4 host:/x rw
33 31 0:28 / /mnt/local rw - fuse.sshfs user@host:/ rw
";

    #[test]
    fn the_longest_and_last_mount_point_counts() {
        for (path, expected) in [
            ("/var/lib", "ext4"),
            ("/mnt", "9p"),
            ("/mnt/a/b", "9p"),
            ("/mnt/local/a", "fuse.sshfs"),
            ("/mnt/localx", "9p"),
            ("/srv/two words/x", "nfs4"),
        ] {
            assert_eq!(filesystem_of(Path::new(path), MOUNTS).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn a_folder_without_room_is_refused_and_named() {
        let dir = tempfile::tempdir().unwrap();
        assert!(check_data_dir(dir.path(), 0).is_ok());
        let error = check_data_dir(dir.path(), u64::MAX).unwrap_err().to_string();
        assert!(
            error.contains("limits.free_bytes_min") && error.contains(dir.path().to_str().unwrap()),
            "{error}"
        );
    }
}
