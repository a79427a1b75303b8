//! Packets through the user-space WAN, in a lab of its own: a process of its own, since entering one forks.

use std::fs::File;
use std::io::{Read as _, Write as _};

use farquorum_baseline::Series;
use farquorum_netem::bench::packet_rate as measure;
use farquorum_netem::lab::{Entered, enter, probe};
use nix::unistd::ForkResult;

use crate::failure::Failure;

/// Packets of 1,200 bytes that one core carries in a second.
pub(crate) fn packet_rate() -> Result<Series, Failure> {
    let privilege = probe().map_err(Failure::failed)?;
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(Failure::failed)?;
    // SAFETY: this process has one thread (main.rs makes no runtime before), so the child may go on as usual.
    match unsafe { nix::unistd::fork() }.map_err(Failure::failed)? {
        ForkResult::Parent { child } => {
            drop(write);
            let mut text = String::new();
            File::from(read).read_to_string(&mut text)?;
            let _status = nix::sys::wait::waitpid(child, None);
            let rate: f64 =
                text.trim().parse().map_err(|_| Failure::failed(format!("the WAN's rate: {text}")))?;
            let mut series = Series::new("user-space WAN, 1,200-byte packets, one core", "1/s");
            series.add(rate);
            Ok(series)
        }
        ForkResult::Child => {
            drop(read);
            let text = match enter(&privilege) {
                Ok(Entered::Parent { child }) => {
                    drop(write);
                    let _status = nix::sys::wait::waitpid(child, None);
                    std::process::exit(0);
                }
                Ok(Entered::Supervisor) => match measure() {
                    Ok(rate) => rate.packets_per_core_second.to_string(),
                    Err(error) => error.to_string(),
                },
                Err(error) => error.to_string(),
            };
            let _gone = File::from(write).write_all(text.as_bytes());
            std::process::exit(0)
        }
    }
}
