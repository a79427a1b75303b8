//! The kernel backend as an ordinary user: in a user namespace, netem is there as well.

use farquorum_config::LabBackend;
use farquorum_netem::lab::{Entered, Lab, enter, probe};
use farquorum_netem::selftest;
use nix::sys::prctl::set_dumpable;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, Uid, fork, setgroups, setresgid, setresuid};

use crate::{Outcome, network};

const NOBODY: u32 = 65_534;

/// Starts a lab without root and lets it test itself.
pub(crate) fn check() -> Outcome<()> {
    // SAFETY: this process has one thread.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => match waitpid(child, None)? {
            WaitStatus::Exited(_, 0) => Ok(()),
            ended => Err(format!("the lab without root failed: {ended:?}").into()),
        },
        ForkResult::Child => {
            let passed = as_nobody().unwrap_or_else(|error| {
                println!("failed: {error}");
                false
            });
            // SAFETY: ends the process; nothing of it is needed any more.
            unsafe { libc::_exit(i32::from(!passed)) }
        }
    }
}

fn as_nobody() -> Outcome<bool> {
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    setgroups(&[gid])?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)?;
    // A change of user makes /proc/self root's; a process that was started by the user has it.
    set_dumpable(true)?;
    match enter(&probe()?)? {
        Entered::Parent { child } => Ok(waitpid(child, None)? == WaitStatus::Exited(child, 0)),
        Entered::Supervisor => {
            let lab = Lab::start(network::spec(LabBackend::Kernel))?;
            let test = selftest::run(&lab)?;
            println!("without root: {}; self-test {}", lab.backend(), test.problems().join("; "));
            lab.stop();
            Ok(test.passed())
        }
    }
}
