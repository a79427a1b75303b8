//! Entering the lab: the supervisor becomes pid 1 of its own PID namespace, so that the kernel ends all of its
//! descendants with it, also detached or stopped ones, also after `kill -9`.
//!
//! The caller stays where it is. A helper process makes the namespaces and forks pid 1 inside; then it ends, and
//! the caller, a child subreaper for that moment, inherits pid 1 as its child. Without root, the user namespace
//! maps the caller's own user and group to themselves: programs in the lab see who started them, and databases that
//! refuse to run as root run. All of this happens before any thread exists, because a fork keeps one thread only.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, getegid, geteuid};

use super::netns;
use super::probe::Privilege;
use crate::error::{Doing, LabError};

/// Who the caller is after [`enter`].
#[derive(Debug)]
pub enum Entered {
    /// The process that called, in the namespaces that it was in. `child` is the supervisor, as a child process.
    Parent {
        /// Process id of the supervisor, as the parent sees it.
        child: Pid,
    },
    /// The supervisor: pid 1 of its own PID namespace, with its own mount and network namespaces. It must reap
    /// orphans, and it gets no signal that it has no handler for.
    Supervisor,
}

/// Makes user (unless privileged), mount, network and PID namespaces and forks. Sockets that were bound before
/// stay in the host's network and work in both processes.
///
/// # Errors
/// In the parent only: more than one thread, or a step that the kernel refused (also one inside the child).
pub fn enter(privilege: &Privilege) -> Result<Entered, LabError> {
    let threads = fs::read_dir("/proc/self/task").doing(|| "read /proc/self/task".to_string())?.count();
    if threads != 1 {
        return Err(LabError::NotSingleThreaded(threads));
    }
    fork_inside(privilege)
}

/// [`enter`] without the check of threads; in the child of a process with threads, only the probe may use it.
pub(super) fn fork_inside(privilege: &Privilege) -> Result<Entered, LabError> {
    let (report, mut reporter) = UnixStream::pair().doing(|| "make a socket pair".to_string())?;
    prctl::set_child_subreaper(true).doing(|| "become a child subreaper".to_string())?;
    // SAFETY: the process has one thread (checked by `enter`; the probe's child touches no lock of other threads).
    match unsafe { fork() }.doing(|| "fork".to_string())? {
        ForkResult::Parent { child: helper } => {
            drop(reporter);
            let result = await_child(report, helper);
            prctl::set_child_subreaper(false).doing(|| "stop being a child subreaper".to_string())?;
            result.map(|child| Entered::Parent { child })
        }
        ForkResult::Child => {
            drop(report);
            match helper(privilege, &mut reporter) {
                Ok(()) => Ok(Entered::Supervisor),
                Err(error) => {
                    // The parent hears of it or is gone: either way this process has nothing left to do.
                    let _ = tell(&mut reporter, &format!("error {error}\n"));
                    exit_now(1)
                }
            }
        }
    }
}

/// Reads what helper and supervisor report until both have closed their end.
fn await_child(mut report: UnixStream, helper: Pid) -> Result<Pid, LabError> {
    let mut text = String::new();
    report.read_to_string(&mut text).doing(|| "read the supervisor's report".to_string())?;
    waitpid(helper, None).doing(|| "wait for the helper process".to_string())?;
    let child = text.lines().find_map(|line| line.strip_prefix("pid ")?.parse().ok()).map(Pid::from_raw);
    if let Some(error) = text.lines().find_map(|line| line.strip_prefix("error ")) {
        // A supervisor that failed has ended by itself; take its exit status so that no zombie stays.
        child.map(|pid| waitpid(pid, None));
        return Err(LabError::Child(error.to_string()));
    }
    match child {
        Some(child) if text.lines().any(|line| line == "ready") => Ok(child),
        _ => Err(LabError::Child("it ended without a word".to_string())),
    }
}

/// Makes the namespaces and forks pid 1; returns in pid 1 only.
fn helper(privilege: &Privilege, reporter: &mut UnixStream) -> Result<(), LabError> {
    if privilege.needs_user_namespace() {
        enter_user_namespace()?;
    }
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWPID)
        .doing(|| "make mount, network and PID namespaces".to_string())?;
    // SAFETY: as in `fork_inside`.
    match unsafe { fork() }.doing(|| "fork into the PID namespace".to_string())? {
        ForkResult::Parent { child } => {
            let told = tell(reporter, &format!("pid {child}\n"));
            exit_now(i32::from(told.is_err()))
        }
        ForkResult::Child => {
            settle()?;
            tell(reporter, "ready\n").doing(|| "report to the parent".to_string())
        }
    }
}

/// Reports a line in one write: helper and supervisor write at the same time, and their lines must not mix.
fn tell(reporter: &mut UnixStream, line: &str) -> io::Result<()> {
    reporter.write_all(line.as_bytes())
}

/// Maps the caller's own user and group into a new user namespace, where the process has every capability.
fn enter_user_namespace() -> Result<(), LabError> {
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER).doing(|| "make a user namespace".to_string())?;
    let files = [
        // Without it the kernel refuses the map of groups.
        ("/proc/self/setgroups", "deny".to_string()),
        ("/proc/self/uid_map", format!("{user} {user} 1")),
        ("/proc/self/gid_map", format!("{group} {group} 1")),
    ];
    for (file, content) in files {
        fs::write(file, content).doing(|| format!("write {file} of the new user namespace"))?;
    }
    Ok(())
}

/// The first steps of pid 1: its own /proc, a working network namespace.
fn settle() -> Result<(), LabError> {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .doing(|| "make the mounts private".to_string())?;
    mount(
        Some("proc"),
        "/proc",
        Some("proc"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC,
        none,
    )
    .doing(|| "mount /proc of the PID namespace".to_string())?;
    netns::prepare(false).doing(|| "prepare the network namespace".to_string())
}

/// Ends a forked process at once: no destructor or output buffer of the parent runs twice.
pub(super) fn exit_now(status: i32) -> ! {
    // SAFETY: `_exit` does not return and touches no memory.
    unsafe { libc::_exit(status) }
}
