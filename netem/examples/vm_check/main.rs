//! The same network and the same checks with both backends, side by side: the first process of a virtual machine whose
//! kernel has netem. `ci/vm.sh` makes the machine and reads the last line.
//!
//! Started by hand inside a lab's privileges it runs as an ordinary program (`vm_check user` or `vm_check kernel` for one
//! backend only), so that the checks themselves can be tried without a machine.
//!
//! Limits: packets are seen by threads of this process, so every time has the time to wake one in it; that time is
//! measured inside a cloud and taken off.

mod checks;
mod figure;
#[path = "../first_process/mod.rs"]
mod first_process;
mod gateway;
mod network;
mod rootless;
mod train;

use std::error::Error;
use std::process::ExitCode;

use farquorum_config::LabBackend;
use farquorum_netem::lab::{Entered, Lab, enter, probe};

use figure::Figure;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<ExitCode> {
    if std::process::id() == 1 {
        let work = || {
            first_process::settle()?;
            rootless::check()?;
            // On a thread of its own: it ends up in another network.
            std::thread::scope(|scope| {
                scope.spawn(|| gateway::check().map_err(|error| error.to_string())).join()
            })
            .map_err(|_| "the check of the gateway panicked")??;
            compare()
        };
        let verdict = |passed: bool| if passed { "passed" } else { "failed" };
        first_process::power_off_after(work, |passed| {
            println!("vm-check: {}", verdict(passed.unwrap_or(false)));
        })
    }
    match enter(&probe()?)? {
        Entered::Parent { child } => {
            let ended = nix::sys::wait::waitpid(child, None)?;
            Ok(if ended == nix::sys::wait::WaitStatus::Exited(child, 0) {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        Entered::Supervisor => {
            let passed = match std::env::args().nth(1).as_deref() {
                Some("user") => figure::judge(&run(LabBackend::User)?, &[]),
                Some("kernel") => figure::judge(&[], &run(LabBackend::Kernel)?),
                _ => compare()?,
            };
            Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

/// Both backends, one after the other; whether everything is as configured.
fn compare() -> Outcome<bool> {
    Ok(figure::judge(&run(LabBackend::User)?, &run(LabBackend::Kernel)?))
}

fn run(backend: LabBackend) -> Outcome<Vec<Figure>> {
    let lab = Lab::start(network::spec(backend))?;
    println!("{}", lab.backend());
    let figures = checks::all(&lab)?;
    lab.stop();
    Ok(figures)
}
