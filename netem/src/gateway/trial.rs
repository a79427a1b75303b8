//! A gateway and one host in each cloud, in network namespaces of this process: what containers are to an engine, without
//! an engine. For tests, and for the virtual machine whose kernel has netem.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use farquorum_config::{Config, Ipv4Net};

use super::plan::router;
use super::{Gateway, LinkAddresses};
use crate::error::{Doing, LabError};
use crate::lab::netlink::{self, Target, Veth};
use crate::lab::{INTERFACE, in_netns, netns};
use crate::netlink::{CREATE_EXCL, Message, Socket};
use crate::ping::{PingOptions, ping};
use crate::wan::WanControl;

const RTM_NEWROUTE: u16 = 24;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
/// RTNH_F_ONLINK: the router need not lie in a network of the interface.
const ON_LINK: u32 = 4;
const MTU: u16 = 1_500;
const QUEUE_PACKETS: u32 = 1_000;

/// A gateway at work.
#[derive(Debug)]
pub struct Trial {
    gateway: Option<Gateway>,
    hosts: Vec<Host>,
    /// The gateway's own network.
    netns: OwnedFd,
}

#[derive(Debug)]
struct Host {
    cloud: String,
    address: Ipv4Addr,
    netns: OwnedFd,
}

impl Trial {
    /// Makes the networks of the first node of each cloud and of a gateway, and starts it. The calling thread stays in
    /// the gateway's network. Needs the privileges that [`crate::lab::enter`] gives.
    ///
    /// # Errors
    /// As [`Gateway::start`].
    pub fn start(config: &Config, links: LinkAddresses) -> Result<Trial, LabError> {
        let gateway = netns::make(false).doing(|| "make the gateway's network".to_string())?;
        for (key, value) in [
            ("ip_forward", "1"),
            ("conf/all/rp_filter", "0"),
            ("conf/default/rp_filter", "0"),
            ("conf/all/arp_notify", "1"),
        ] {
            let file = format!("/proc/sys/net/ipv4/{key}");
            fs::write(&file, value).doing(|| format!("write {file}"))?;
        }
        let mut hosts = Vec::new();
        for (number, (label, cloud)) in config.clouds.iter().enumerate() {
            let node = config.nodes.iter().find(|node| node.cloud == *label);
            let Some(address) = node.and_then(|node| node.address.parse().ok()) else { continue };
            let netns = make_host(&gateway, &format!("cloud{number}"), cloud.network, address)
                .doing(|| format!("make the host of cloud {label}"))?;
            hosts.push(Host { cloud: label.clone(), address, netns });
        }
        Ok(Trial { gateway: Some(Gateway::start(config, links)?), hosts, netns: gateway })
    }

    /// [`Gateway::backend`]; empty when it was stopped.
    pub fn backend(&self) -> &str {
        self.gateway.as_ref().map_or("", Gateway::backend)
    }

    /// The handle that changes links; none when the gateway was stopped.
    pub fn control(&self) -> Option<WanControl> {
        self.gateway.as_ref().map(Gateway::control)
    }

    /// Round trips from the host of one cloud to that of another; none for each echo without an answer.
    ///
    /// # Errors
    /// An unknown cloud, or what the kernel refused.
    pub fn ping(&self, from: &str, to: &str, count: u16) -> Result<Vec<Option<Duration>>, LabError> {
        let host = |cloud: &str| {
            let found = self.hosts.iter().find(|host| host.cloud == cloud);
            found.ok_or_else(|| LabError::Spec(format!("no host in cloud `{cloud}`")))
        };
        let (from, to) = (host(from)?, host(to)?.address);
        let timeout = Duration::from_millis(500);
        let options = PingOptions { count, interval: Duration::from_millis(10), timeout };
        let pinging = in_netns(from.netns.as_fd(), move || ping(to, options, |_, _| {}))?;
        let panicked = |_| LabError::Child("the thread that pings panicked".to_string());
        pinging.join().map_err(panicked)??.doing(|| format!("ping {to}"))
    }

    /// Stops the shaper and leaves everything else as it is.
    pub fn stop_gateway(&mut self) {
        if let Some(gateway) = self.gateway.take() {
            gateway.stop();
        }
    }

    /// Starts a gateway again in the network that an earlier one left.
    ///
    /// # Errors
    /// As [`Gateway::start`].
    pub fn start_gateway(&mut self, config: &Config, links: LinkAddresses) -> Result<(), LabError> {
        let config = config.clone();
        let starting = in_netns(self.netns.as_fd(), move || Gateway::start(&config, links))?;
        let panicked = |_| LabError::Child("the thread that starts the gateway panicked".to_string());
        self.gateway = Some(starting.join().map_err(panicked)???);
        Ok(())
    }
}

/// A host whose way out is its cloud's router, as an engine makes it. The calling thread goes there and comes back.
fn make_host(gateway: &OwnedFd, name: &str, network: Ipv4Net, address: Ipv4Addr) -> io::Result<OwnedFd> {
    let host = netns::make(false)?;
    let [_, a, b, c] = address.octets();
    netlink::add_veth(&Veth {
        name: INTERFACE,
        address: [2, 0, 0, a, b, c],
        peer: name,
        peer_address: None,
        peer_netns: gateway.as_fd(),
    })?;
    netlink::take_up(INTERFACE, MTU, QUEUE_PACKETS, true)?;
    netlink::add_address(INTERFACE, address.into())?;
    netns::visit(gateway.as_fd(), host.as_fd(), || {
        netlink::take_up(name, MTU, QUEUE_PACKETS, true)?;
        let own = Ipv4Addr::from(u32::from(network.base) + 254);
        netlink::add_address(name, own.into())?;
        netlink::add_route(name, own.into(), Target::Host(address.into()))
    })?;
    default_via(router(network))?;
    nix::sched::setns(gateway, nix::sched::CloneFlags::CLONE_NEWNET)?;
    Ok(host)
}

fn default_via(router: Ipv4Addr) -> io::Result<()> {
    // `struct rtmsg`: IPv4, no prefix, main table, static, everywhere, unicast; then the flags.
    let mut body = vec![2, 0, 0, 0, super::plan::MAIN, 4, 0, 1];
    body.extend_from_slice(&ON_LINK.to_ne_bytes());
    let mut message = Message::new(RTM_NEWROUTE, CREATE_EXCL, &body);
    message.attribute(RTA_GATEWAY, &router.octets());
    message.attribute(RTA_OIF, &netlink::index(INTERFACE)?.to_ne_bytes());
    Socket::open()?.change(&message)
}
