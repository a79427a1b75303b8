//! Damage for tests: a cable between two hosts that bypasses the WAN, so that a test can see the self-test notice it,
//! a host that pulls its own cable, and a queue that is too short.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use super::netlink::{self, Target, Veth};
use super::{HostSpec, INTERFACE, Lab, in_netns};
use crate::error::{Doing, LabError};

const MTU: u16 = 1500;
const QUEUE_PACKETS: u32 = 1_000;

impl Lab {
    /// Deletes a host's device, as root inside the host could. For tests only.
    #[doc(hidden)]
    pub fn unplug(&self, host: &str) -> Result<(), LabError> {
        inside(self.netns_of(host)?, || netlink::delete(INTERFACE))
    }

    /// Joins two hosts past the WAN, with IPv4 routes both ways. For tests of the self-test only.
    #[doc(hidden)]
    pub fn breach(&self, host: &str, other: &str) -> Result<(), LabError> {
        self.join(host, other, |host| host.address.into())
    }

    /// [`Lab::breach`] with IPv6 routes.
    #[doc(hidden)]
    pub fn breach_ipv6(&self, host: &str, other: &str) -> Result<(), LabError> {
        self.join(host, other, |host| host.ipv6().into())
    }

    /// Gives a host's device another MTU, as root inside the host could. For tests only.
    #[doc(hidden)]
    pub fn resize(&self, host: &str, mtu: u16) -> Result<(), LabError> {
        inside(self.netns_of(host)?, move || netlink::take_up(INTERFACE, mtu, QUEUE_PACKETS, false))
    }

    /// Leaves room for one packet between a host and the WAN. For tests only.
    #[doc(hidden)]
    pub fn narrow(&self, host: &str) -> Result<(), LabError> {
        let mtu = self.spec().mtu;
        inside(self.netns_of(host)?, move || netlink::take_up(INTERFACE, mtu, 1, false))?;
        let number = self.spec().hosts.iter().position(|other| other.name == host).unwrap_or_default();
        self.control().narrow(number).doing(|| format!("shorten the queue of {host}"))
    }

    fn join(&self, host: &str, other: &str, address: fn(&HostSpec) -> IpAddr) -> Result<(), LabError> {
        let address = |name: &str| self.spec().hosts.iter().find(|host| host.name == name).map(address);
        let (Some(here), Some(there)) = (address(host), address(other)) else {
            return Err(LabError::UnknownHost { name: format!("{host} or {other}"), known: String::new() });
        };
        let (from, to) = (self.netns_of(host)?, self.netns_of(other)?);
        let peer_netns =
            to.try_clone_to_owned().doing(|| format!("copy the network namespace of {other}"))?;
        inside(from, move || {
            netlink::add_veth(&Veth {
                name: "breach0",
                address: [2, 1, 0, 0, 0, 1],
                peer: "breach1",
                peer_address: None,
                peer_netns: peer_netns.as_fd(),
            })?;
            netlink::take_up("breach0", MTU, QUEUE_PACKETS, true)
        })?;
        inside(to, move || {
            netlink::take_up("breach1", MTU, QUEUE_PACKETS, true)?;
            own(there, "breach1")?;
            netlink::add_route("breach1", there, Target::Host(here))
        })?;
        inside(from, move || {
            own(here, "breach0")?;
            netlink::add_route("breach0", here, Target::Host(there))
        })
    }
}

/// Gives an interface the host's IPv6 address: neighbour discovery finds an address only where it is (ARP finds it on
/// any interface of the host).
fn own(address: IpAddr, interface: &str) -> io::Result<()> {
    if address.is_ipv6() { netlink::add_address(interface, address) } else { Ok(()) }
}

fn inside(
    netns: BorrowedFd<'_>,
    f: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> Result<(), LabError> {
    let panicked = |_| Err(LabError::Child("the thread that makes a breach panicked".to_string()));
    in_netns(netns, f)?.join().unwrap_or_else(panicked)?.doing(|| "change a host's cables".to_string())
}
