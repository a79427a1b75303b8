//! A command in a mount namespace of its own, with file systems that nobody else sees and that go with its last
//! process. Without root it gets a user namespace first, as the lab does.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

/// A file system to be mounted.
pub(crate) struct Mount {
    point: CString,
    kind: CString,
    data: CString,
}

impl Mount {
    /// On a folder, which is made; `kind` and `data` as mount(2) has them.
    pub(crate) fn on(point: &Path, kind: &str, data: &str) -> Self {
        std::fs::create_dir_all(point).unwrap();
        let point = CString::new(point.as_os_str().as_bytes()).unwrap();
        Self { point, kind: CString::new(kind).unwrap(), data: CString::new(data).unwrap() }
    }
}

/// The command will see these mounts; its start fails when the kernel refuses one.
pub(crate) fn with_mounts(command: &mut Command, mounts: Vec<Mount>) {
    let (user, group) = (geteuid(), getegid());
    let maps = [
        (c"/proc/self/setgroups", "deny".to_owned()),
        (c"/proc/self/uid_map", format!("{user} {user} 1")),
        (c"/proc/self/gid_map", format!("{group} {group} 1")),
    ];
    let none = None::<&std::ffi::CStr>;
    let enter = move || -> io::Result<()> {
        if user.is_root() {
            unshare(CloneFlags::CLONE_NEWNS)?;
        } else {
            unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
            for (file, map) in &maps {
                let file =
                    nix::fcntl::open(*file, nix::fcntl::OFlag::O_WRONLY, nix::sys::stat::Mode::empty())?;
                nix::unistd::write(&file, map.as_bytes())?;
            }
        }
        mount(none, c"/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
        for Mount { point, kind, data } in &mounts {
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
            mount(
                Some(kind.as_c_str()),
                point.as_c_str(),
                Some(kind.as_c_str()),
                flags,
                Some(data.as_c_str()),
            )?;
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls only, on memory that was made before the fork.
    unsafe { command.pre_exec(enter) };
}
