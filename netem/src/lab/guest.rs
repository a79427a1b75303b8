//! The other end of [`super::MACHINE_INTERFACE`]: the network of a virtual machine that is a host of the lab.
//!
//! The machine has the host's addresses, and the host's namespace forwards between the WAN's device and the
//! machine's card. Both ends of that card have the same hardware address and resolve no neighbours: there is one
//! machine at the other end of a cable, whatever address a packet has. The namespace is one more hop: packets lose one
//! more of their time to live than on the way to an ordinary host.

use std::iter;
use std::net::Ipv4Addr;

use super::device::QUEUE_PACKETS;
use super::spec::IPV6_MTU_MIN;
use super::{ipv6_of, netlink, netns};
use crate::error::{Doing, LabError};

/// Inside the machine: gives its card the host's addresses and sends everything through it.
///
/// # Errors
/// No such card, or a step that the kernel refused.
pub fn join(card: &str, address: Ipv4Addr, mtu: u16) -> Result<(), LabError> {
    let ipv6 = mtu >= IPV6_MTU_MIN && netns::has_ipv6();
    netns::prepare(ipv6).doing(|| "prepare the network".to_string())?;
    netlink::take_up(card, mtu, QUEUE_PACKETS, false).doing(|| format!("take up {card}"))?;
    let ipv6 = ipv6.then(|| ipv6_of(address).into());
    for address in iter::once(address.into()).chain(ipv6) {
        netlink::add_address(card, address).doing(|| format!("give {address} to {card}"))?;
        netlink::add_route(card, address, netlink::Target::Default)
            .doing(|| format!("route through {card}"))?;
    }
    Ok(())
}
