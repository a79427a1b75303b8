//! What the emulated WAN carries and how exact it is: figures for `farquorum bench` and `examples/figures.rs`, which judges
//! them. Each takes a running lab, or makes one; all need the privileges that [`crate::lab::enter`] gives.

mod bulk;
mod links;
mod load;
mod rate;

use std::net::{IpAddr, UdpSocket};
use std::os::fd::BorrowedFd;

pub use bulk::bulk_mbit;
pub use links::{LabFigures, RttError, changes_us, lab_start, rtt_errors};
pub use load::Load;
pub use rate::{PacketRate, packet_rate};

use farquorum_config::LabBackend;

use crate::error::{Doing, LabError};
use crate::lab::{HostSpec, Lab, LabSpec, in_netns};
use crate::wan::WanError;

/// Two clouds with one host each, `west-11` and `east-11`, and a delay between them.
fn two_hosts(delay_ms: f64) -> LabSpec {
    let spec = LabSpec::sample(&[("west", 10), ("east", 20)], 1, &[("west", "east", 2.0 * delay_ms)]);
    LabSpec { backend: LabBackend::User, ..spec }
}

/// A host of a lab by its name.
fn host<'a>(lab: &'a Lab, name: &str) -> Result<(&'a HostSpec, BorrowedFd<'a>), LabError> {
    let unknown = || LabError::UnknownHost { name: name.to_string(), known: String::new() };
    let spec = lab.spec().hosts.iter().find(|host| host.name == name).ok_or_else(unknown)?;
    Ok((spec, lab.netns_of(name)?))
}

/// Makes something inside a host.
fn inside<T: Send + 'static>(
    netns: BorrowedFd<'_>,
    what: &str,
    make: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, LabError> {
    let panicked = |_| Err(LabError::Child(format!("the thread for this panicked: {what}")));
    in_netns(netns, make)?.join().unwrap_or_else(panicked)?.doing(|| what.to_string())
}

fn udp_socket(netns: BorrowedFd<'_>, address: IpAddr) -> Result<UdpSocket, LabError> {
    inside(netns, "bind a UDP socket", move || UdpSocket::bind((address, 0)))
}

/// The WAN has stopped, which it does not while somebody measures it.
fn stopped(error: WanError) -> LabError {
    LabError::Child(error.to_string())
}
