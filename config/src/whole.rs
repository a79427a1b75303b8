//! Files that are there whole or not at all: written under a temporary name of their own in the same folder, synced, then
//! renamed, and the folder synced. A reader, and whoever comes after a crash, sees the old file or the new one. It is in
//! this crate because every other one that writes files depends on it.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Writes a file with this mode, less what the umask takes; what was there before is replaced at the end.
///
/// # Errors
/// When the folder is missing or not writable, or there is no room. Then nothing was changed.
pub fn write_whole(path: &Path, mode: u32, content: impl AsRef<[u8]>) -> io::Result<()> {
    Draft::new(path, mode, |file| file.write_all(content.as_ref()))?.publish()
}

/// A file that is whole and synced and has no name yet. Dropped, it goes away; a crash leaves a hidden `.part` beside the
/// place for it.
#[derive(Debug)]
pub struct Draft {
    file: NamedTempFile,
    path: PathBuf,
}

impl Draft {
    /// Fills a file that is to become `path`.
    ///
    /// # Errors
    /// As [`write_whole`], and those of `fill`.
    pub fn new(path: &Path, mode: u32, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".farquorum-").suffix(".part").permissions(Permissions::from_mode(mode));
        let mut file = builder.tempfile_in(folder(path))?;
        fill(file.as_file_mut())?;
        file.as_file().sync_all()?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Where it is until it has its name.
    pub fn temporary(&self) -> &Path {
        self.file.path()
    }

    /// Gives it its name, in place of what was there.
    ///
    /// # Errors
    /// When it cannot be renamed, then nothing was changed, or the folder cannot be synced.
    pub fn publish(self) -> io::Result<()> {
        self.file.persist(&self.path).map_err(|error| error.error)?;
        sync(folder(&self.path))
    }

    /// The same where nothing may be there yet.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when something is, else as [`Draft::publish`].
    pub fn publish_new(self) -> io::Result<()> {
        self.file.persist_noclobber(&self.path).map_err(|error| error.error)?;
        sync(folder(&self.path))
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn it_is_there_whole_with_its_mode_or_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let names = || fs::read_dir(dir.path()).unwrap().count();
        write_whole(&path, 0o600, "old").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        let failed = Draft::new(&path, 0o600, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("no room"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "no room");
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names()), ("old", 1));

        // Two at once have a temporary name each.
        let drafts =
            ["one", "other"].map(|text| Draft::new(&path, 0o600, |f| f.write_all(text.as_bytes())).unwrap());
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names()), ("old", 3));
        let [one, other] = drafts;
        one.publish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        assert_eq!(other.publish_new().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names()), ("one", 1));
        fs::remove_file(&path).unwrap();
        Draft::new(&path, 0o644, |file| file.write_all(b"new")).unwrap().publish_new().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert!(write_whole(&dir.path().join("none/key"), 0o600, "").is_err());
    }
}
