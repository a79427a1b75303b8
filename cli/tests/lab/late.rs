//! An emulator that is late: its process is stopped and continued while something is measured.

use std::process::Child;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::machine::signal;

/// What whoever measured says of it.
pub(crate) const SAYS: &str = "the emulated WAN delivered late by";

/// A sixth of all packets comes later than it should, by as much as this: far beyond `lab.lateness_p99_max_ms` (3), and
/// too little for anything above the network to give up.
const STOPPED_MS: u64 = 15;
const RUNNING_MS: u64 = 75;

/// Stops and continues the emulator until `child` has ended.
pub(crate) fn until_it_ends(child: &mut Child, emulator: i32) {
    while child.try_wait().unwrap().is_none() {
        for (stop, ms) in [(Signal::SIGSTOP, STOPPED_MS), (Signal::SIGCONT, RUNNING_MS)] {
            signal(emulator, stop);
            std::thread::sleep(Duration::from_millis(ms));
        }
    }
}
