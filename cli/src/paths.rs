//! Where things are on this machine: one state folder per user, one folder per simulation below it. Under sudo the
//! folder is that of the user who called, and what is made there belongs to them.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// `FARQUORUM_STATE_DIR`, else `$XDG_STATE_HOME/farquorum`, else `~/.local/state/farquorum`.
pub(crate) fn state_dir() -> Result<PathBuf, Failure> {
    if let Some(dir) = set("FARQUORUM_STATE_DIR") {
        return Ok(dir);
    }
    if let Some(caller) = Caller::from_sudo() {
        return Ok(caller.home.join(".local/state/farquorum"));
    }
    if let Some(dir) = set("XDG_STATE_HOME") {
        return Ok(dir.join("farquorum"));
    }
    set("HOME").map(|home| home.join(".local/state/farquorum")).ok_or_else(|| {
        Failure::usage("no folder for state: neither FARQUORUM_STATE_DIR, XDG_STATE_HOME nor HOME is set")
    })
}

fn set(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The user who called sudo.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// User id.
    pub(crate) uid: u32,
    /// Group id.
    pub(crate) gid: u32,
    /// Home folder.
    pub(crate) home: PathBuf,
}

impl Caller {
    /// Who called, when this process is root by sudo.
    pub(crate) fn from_sudo() -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            return None;
        }
        let uid: u32 = std::env::var("SUDO_UID").ok()?.parse().ok()?;
        let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok()??;
        (uid != 0).then(|| Self { uid, gid: user.gid.as_raw(), home: user.dir })
    }

    /// Hands a folder and everything in it to the caller.
    pub(crate) fn own(&self, path: &Path) -> std::io::Result<()> {
        chown(path, Some(self.uid), Some(self.gid))?;
        if path.is_dir() && !path.is_symlink() {
            for entry in std::fs::read_dir(path)? {
                let entry = entry?.path();
                if !entry.is_symlink() {
                    self.own(&entry)?;
                }
            }
        }
        Ok(())
    }
}
