//! Where things are on this machine: one state folder per user, one folder per simulation below it. Under sudo the
//! folder is that of the user who called, and what is made there belongs to them.

use std::os::unix::fs::lchown;
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
struct Caller {
    /// User id.
    uid: u32,
    /// Group id.
    gid: u32,
    /// Home folder.
    home: PathBuf,
}

impl Caller {
    /// Who called, when this process is root by sudo.
    fn from_sudo() -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            return None;
        }
        let uid: u32 = std::env::var("SUDO_UID").ok()?.parse().ok()?;
        let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok()??;
        (uid != 0).then(|| Self { uid, gid: user.gid.as_raw(), home: user.dir })
    }

    /// Hands a file, or a folder and everything in it, to the caller. What is gone meanwhile needs no owner.
    fn own(&self, path: &Path) -> std::io::Result<()> {
        let own = || {
            // Never through a link: this is root at work in a folder of somebody else.
            lchown(path, Some(self.uid), Some(self.gid))?;
            if std::fs::symlink_metadata(path)?.is_dir() {
                for entry in std::fs::read_dir(path)? {
                    self.own(&entry?.path())?;
                }
            }
            Ok(())
        };
        own().or_else(
            |error: std::io::Error| {
                if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
            },
        )
    }
}

/// Under sudo, hands a file, or a folder and everything in it, to the user who called.
pub(crate) fn give_to_caller(path: &Path) -> Result<(), Failure> {
    let Some(caller) = Caller::from_sudo() else { return Ok(()) };
    let failed =
        |error| Failure::failed(format!("cannot hand {} to user {}: {error}", path.display(), caller.uid));
    caller.own(path).map_err(failed)
}

/// Makes a folder and what is missing above it; under sudo all that is made belongs to the user who called.
pub(crate) fn make_folder(path: &Path) -> Result<(), Failure> {
    let made = path.ancestors().take_while(|folder| !folder.exists()).last();
    std::fs::create_dir_all(path)
        .map_err(|error| Failure::failed(format!("cannot make {}: {error}", path.display())))?;
    made.map_or(Ok(()), give_to_caller)
}
