//! What the first process of a machine does, whatever the machine is for: file systems, modules, and switching the
//! machine off. Part of `vm_check` and of `machine`.

use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

use crate::Outcome;

/// Modules of the machine's kernel, as files.
const MODULES: &str = "/modules";

/// Runs `work`, gives what came of it to `say`, and switches the machine off.
pub(crate) fn power_off_after<T>(work: impl FnOnce() -> Outcome<T>, say: impl FnOnce(Option<T>)) -> ! {
    // A panic must not end the first process: the kernel would panic too, and say only that.
    let result = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(Ok(result)) => Some(result),
        Ok(Err(error)) => {
            println!("failed: {error}");
            None
        }
        Err(_) => None,
    };
    say(result);
    // SAFETY: these calls take no pointers; the second does not return.
    unsafe {
        libc::sync();
        libc::reboot(libc::RB_POWER_OFF);
        libc::_exit(1)
    }
}

/// Mounts what every program needs and loads the modules.
pub(crate) fn settle() -> Outcome<()> {
    for (kind, target) in [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")] {
        fs::create_dir_all(target)?;
        match mount(Some(kind), target, Some(kind), MsFlags::empty(), None::<&str>) {
            // The kernel may have mounted /dev itself.
            Ok(()) | Err(Errno::EBUSY) => {}
            Err(error) => return Err(format!("mount {target}: {error}").into()),
        }
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    println!("kernel {}", release.trim());
    load_modules()
}

/// Loads every module there is, in whatever order their dependencies allow.
fn load_modules() -> Outcome<()> {
    let mut waiting = fs::read_dir(MODULES)?.map(|entry| Ok(entry?.path())).collect::<Outcome<Vec<_>>>()?;
    while !waiting.is_empty() {
        let mut refused = Vec::new();
        for path in &waiting {
            if let Err(error) = load(path) {
                refused.push((path.clone(), error));
            }
        }
        if let Some((path, error)) = refused.first().filter(|_| refused.len() == waiting.len()) {
            return Err(format!("load {}: {error}", path.display()).into());
        }
        waiting = refused.into_iter().map(|(path, _)| path).collect();
    }
    Ok(())
}

fn load(path: &Path) -> std::io::Result<()> {
    let (file, nothing) = (File::open(path)?, CString::default());
    // SAFETY: the descriptor is open and the text of options ends with a zero.
    Errno::result(unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), nothing.as_ptr(), 0) })?;
    Ok(())
}
