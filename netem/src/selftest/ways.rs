//! Ways out of a host that are not the WAN.

use std::os::fd::BorrowedFd;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

use crate::error::{Doing, LabError};
use crate::lab::{INTERFACE, MACHINE_INTERFACE, in_netns};

/// Interfaces of a host that are up and are neither the loopback nor the WAN, nor lead to the host's own `machine`.
pub(super) fn second_ways_of(
    netns: BorrowedFd<'_>,
    host: &str,
    machine: bool,
) -> Result<Vec<String>, LabError> {
    let looking = in_netns(netns, || {
        let interfaces = getifaddrs()?.filter(|entry| entry.flags.contains(InterfaceFlags::IFF_UP));
        let mut names: Vec<_> = interfaces.map(|entry| entry.interface_name).collect();
        names.sort();
        names.dedup();
        Ok::<_, nix::Error>(names)
    })?;
    let panicked = |_| Err(LabError::Child("the look at the interfaces panicked".to_string()));
    let names =
        looking.join().unwrap_or_else(panicked)?.doing(|| format!("list the interfaces of {host}"))?;
    let own = |name: &str| name == "lo" || name == INTERFACE || machine && name == MACHINE_INTERFACE;
    let other = names.into_iter().filter(|name| !own(name));
    Ok(other.map(|name| format!("host {host} has a way around the WAN: interface {name} is up")).collect())
}
