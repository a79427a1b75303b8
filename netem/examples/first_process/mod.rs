//! What a first process does: file systems, modules, and switching the machine off.

use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

use crate::Outcome;

/// Modules of the machine's kernel, as files.
const MODULES: &str = "/modules";

/// Runs `work` and switches the machine off; the last line says how it went.
pub(crate) fn power_off_after(work: impl FnOnce() -> Outcome<bool>) -> ! {
    // A panic must not end the first process: the kernel would panic too, and say only that.
    let passed = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)) {
        Ok(Ok(passed)) => passed,
        Ok(Err(error)) => {
            println!("failed: {error}");
            false
        }
        Err(_) => false,
    };
    println!("vm-check: {}", if passed { "passed" } else { "failed" });
    // SAFETY: these calls take no pointers; the second does not return.
    unsafe {
        libc::sync();
        libc::reboot(libc::RB_POWER_OFF);
        libc::_exit(1)
    }
}

/// Mounts what the lab needs and loads the modules.
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
