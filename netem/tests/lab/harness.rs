//! Running a case inside the lab, and the lab that the cases share.

use std::panic::catch_unwind;
use std::thread::sleep;
use std::time::Duration;

use farquorum_netem::clock;
use farquorum_netem::lab::{DeviceKind, Entered, Lab, LabSpec, enter, probe};
use nix::sys::prctl::set_dumpable;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, Pid, Uid, fork, geteuid, setgroups, setresgid, setresuid};

/// One test.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn() -> Result<(), String>,
}

/// Who runs a case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    Caller,
    /// An ordinary user; the caller when the caller is one already.
    Nobody,
}

const NOBODY: u32 = 65_534;
/// A case that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `test` as the supervisor of a lab; it fails by panicking.
pub(crate) fn inside(user: User, test: fn()) -> Result<(), String> {
    // SAFETY: this process has one thread.
    match unsafe { fork() }.map_err(|error| error.to_string())? {
        ForkResult::Parent { child } => ended_well(child),
        ForkResult::Child => {
            let passed = catch_unwind(|| {
                become_user(user);
                match enter(&probe().expect("permission")).expect("a lab") {
                    Entered::Supervisor => {
                        test();
                        true
                    }
                    Entered::Parent { child } => ended_well(child).is_ok(),
                }
            });
            // SAFETY: ends the process; nothing of it is needed any more.
            unsafe { libc::_exit(i32::from(!passed.unwrap_or(false))) }
        }
    }
}

/// Waits for a child to end with status 0.
pub(crate) fn ended_well(child: Pid) -> Result<(), String> {
    let mut status = WaitStatus::StillAlive;
    let ended = wait_until(PATIENCE, || {
        status = waitpid(child, Some(WaitPidFlag::WNOHANG)).expect("a child");
        status != WaitStatus::StillAlive
    });
    if !ended {
        kill(child, Signal::SIGKILL).expect("a child that can be killed");
        return Err(format!("no end within {PATIENCE:?}"));
    }
    if status == WaitStatus::Exited(child, 0) { Ok(()) } else { Err(format!("{status:?}")) }
}

/// Waits for a condition; false when it does not come true in time.
pub(crate) fn wait_until(patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start_ns = clock::now_ns();
    while !condition() {
        if Duration::from_nanos(clock::now_ns() - start_ns) > patience {
            return false;
        }
        sleep(Duration::from_millis(1));
    }
    true
}

fn become_user(user: User) {
    if user == User::Caller || !geteuid().is_root() {
        return;
    }
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    setgroups(&[gid]).expect("setgroups");
    setresgid(gid, gid, gid).expect("setresgid");
    setresuid(uid, uid, uid).expect("setresuid");
    // A change of user makes /proc/self root's; a process that was started by the user has it.
    set_dumpable(true).expect("set_dumpable");
}

/// A lab of three clouds with two hosts each, at the default round-trip times of 50, 75 and 60 ms.
pub(crate) fn lab(kind: Option<DeviceKind>) -> Lab {
    let lab = match kind {
        None => Lab::start(spec()),
        Some(kind) => Lab::start_with(spec(), kind, "asked for by the test"),
    };
    let lab = lab.expect("a lab");
    println!("    {}", lab.backend());
    lab
}

pub(crate) fn spec() -> LabSpec {
    let rtts_ms = [("aws", "gcp", 50.0), ("aws", "azure", 75.0), ("gcp", "azure", 60.0)];
    LabSpec::sample(&[("aws", 10), ("gcp", 20), ("azure", 30)], 2, &rtts_ms)
}
