//! The network of the kernel backend. Every cloud has an edge, a network namespace that forwards; every host hangs on
//! its cloud's edge by a veth pair; and two edges are joined by one veth pair, whose end in cloud A has the netem of
//! the link A -> B and whose other end has that of B -> A. Inside a cloud the same is done by a pair with both ends
//! in the edge.
//!
//! An edge looks up packets from its hosts in a table of links only, and packets that came through a link in a table of
//! hosts only: there is no way past a netem, whatever the addresses. Each netem is there before its interface is up.
//!
//! Limits: a packet passes two routers, also inside a cloud: its time to live falls by two, in user space by one.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::iter;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, OwnedFd};

use super::QUEUE_PACKETS;
use super::qdisc::Netem;
use super::routing::{HOSTS, LINKS, arrivals, route};
use crate::error::{Doing, LabError};
use crate::lab::netlink::{self, Target, Veth};
use crate::lab::{HostSpec, INTERFACE, LabSpec, gateway, ipv6_of, netns, offload};
use crate::netlink::Socket;

/// The link inside a cloud: where packets go in, and where they come out.
const LOCAL: [&str; 2] = ["local", "local-out"];

/// One cloud's edge.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) netns: OwnedFd,
    /// Opened inside; works from any thread.
    pub(super) socket: Socket,
    /// The interface with the netem of the link to each cloud.
    pub(super) outs: Vec<u32>,
}

/// Makes everything on the calling thread, which ends up in some host's namespace and should end then. `netems` are in
/// the order of the links: from cloud `a` to cloud `b` at `a * clouds + b`.
pub(super) fn make(spec: &LabSpec, netems: &[Netem]) -> Result<(Vec<OwnedFd>, Vec<Edge>), LabError> {
    let clouds = spec.clouds.len();
    let mut edges = Vec::with_capacity(clouds);
    for (name, network) in &spec.clouds {
        let edge = make_edge(spec, gateway(*network), clouds);
        edges.push(edge.doing(|| format!("make the edge of cloud {name}"))?);
    }
    for (link, netem) in netems.iter().enumerate() {
        join(spec, &mut edges, (link / clouds, link % clouds), netem)
            .doing(|| format!("make the link {}", link_name(spec, link)))?;
    }
    let mut hosts = Vec::with_capacity(spec.hosts.len());
    for (number, host) in spec.hosts.iter().enumerate() {
        let edge = spec.clouds.keys().position(|cloud| *cloud == host.cloud);
        let edge = edge.and_then(|edge| edges.get_mut(edge)).ok_or_else(|| unknown(&host.cloud))?;
        let made = make_host(spec, edge, number, host);
        hosts.push(made.doing(|| format!("make host {}", host.name))?);
    }
    Ok((hosts, edges))
}

/// `from -> to` of a link by its number.
pub(super) fn link_name(spec: &LabSpec, link: usize) -> String {
    let name = |cloud: usize| spec.clouds.keys().nth(cloud).map_or("?", String::as_str);
    let clouds = spec.clouds.len().max(1);
    format!("{} -> {}", name(link / clouds), name(link % clouds))
}

fn unknown(cloud: &str) -> LabError {
    LabError::Spec(format!("`{cloud}` is no cloud"))
}

/// The addresses of a host, or of a gateway.
pub(super) fn addresses(spec: &LabSpec, address: Ipv4Addr) -> impl Iterator<Item = IpAddr> {
    let ipv6 = spec.has_ipv6().then(|| IpAddr::from(ipv6_of(address)));
    iter::once(IpAddr::from(address)).chain(ipv6)
}

fn make_edge(spec: &LabSpec, gateway: Ipv4Addr, clouds: usize) -> io::Result<Edge> {
    let netns = netns::make(spec.has_ipv6())?;
    // Before there is any interface: those that come take these over. A filter for return paths would drop packets
    // here, since the way back is in another table.
    for key in ["ipv4/conf/all/rp_filter", "ipv4/conf/default/rp_filter"] {
        fs::write(format!("/proc/sys/net/{key}"), "0")?;
    }
    // What an edge itself says goes through the link inside its cloud and so comes in from outside, with an address of
    // the edge's own as its sender: without this it would be dropped as forged.
    fs::write("/proc/sys/net/ipv4/conf/all/accept_local", "1")?;
    fs::write("/proc/sys/net/ipv4/conf/all/forwarding", "1")?;
    if spec.has_ipv6() {
        fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1")?;
    }
    // The sender of what the edge itself has to say ("time exceeded").
    for address in addresses(spec, gateway) {
        netlink::add_address("lo", address)?;
    }
    Ok(Edge { netns, socket: Socket::open()?, outs: vec![0; clouds] })
}

/// Makes one direction of a link; the veth pair is made with the first of two.
fn join(spec: &LabSpec, edges: &mut [Edge], (from, to): (usize, usize), netem: &Netem) -> io::Result<()> {
    let home = netns::current()?;
    let missing = || io::Error::other("no such cloud");
    let peer = edges.get(to).ok_or_else(missing)?.netns.try_clone()?;
    let edge = edges.get_mut(from).ok_or_else(missing)?;
    let [local_in, local_out] = LOCAL;
    let (name, back) = match from == to {
        true => (local_in.to_string(), local_out.to_string()),
        false => (format!("to{to}"), format!("to{from}")),
    };
    let (low, high) = (u8::try_from(from.min(to)), u8::try_from(from.max(to)));
    let address = [2, 1, 0, 0, low.map_err(io::Error::other)?, high.map_err(io::Error::other)?];
    let cloud = spec.clouds.keys().nth(to).ok_or_else(missing)?;
    let receivers = spec.hosts.iter().filter(|host| host.cloud == *cloud);
    let Edge { netns, socket, outs } = edge;
    let index = netns::visit(netns.as_fd(), home.as_fd(), || {
        if from <= to {
            // Both ends have the same address: without ARP, a packet's receiver is its sender.
            let peer_address = Some(address);
            netlink::add_veth(&Veth {
                name: &name,
                address,
                peer: &back,
                peer_address,
                peer_netns: peer.as_fd(),
            })?;
        }
        let index = netlink::index(&name)?;
        netem.add(socket, index)?;
        let arriving = if from == to { &back } else { &name };
        for any in addresses(spec, Ipv4Addr::UNSPECIFIED) {
            arrivals(socket, arriving, any)?;
        }
        for interface in BTreeSet::from([&name, arriving]) {
            offload::switch_off(interface)?;
            netlink::take_up(interface, spec.mtu, QUEUE_PACKETS, false)?;
        }
        for address in receivers.flat_map(|host| addresses(spec, host.address)) {
            route(socket, index, address, LINKS)?;
        }
        Ok(index)
    })?;
    if let Some(out) = outs.get_mut(to) {
        *out = index;
    }
    Ok(())
}

/// A host: its device, with the far end in the edge. The calling thread stays in it.
fn make_host(spec: &LabSpec, edge: &mut Edge, number: usize, host: &HostSpec) -> io::Result<OwnedFd> {
    let netns = netns::make(spec.has_ipv6())?;
    let peer = format!("host{number}");
    let [a, b, c, d] = host.address.octets();
    let hardware = [2, 0, a, b, c, d];
    netlink::add_veth(&Veth {
        name: INTERFACE,
        address: hardware,
        peer: &peer,
        peer_address: Some(hardware),
        peer_netns: edge.netns.as_fd(),
    })?;
    offload::switch_off(INTERFACE)?;
    netlink::take_up(INTERFACE, spec.mtu, QUEUE_PACKETS, false)?;
    for address in addresses(spec, host.address) {
        netlink::add_address(INTERFACE, address)?;
        netlink::add_route(INTERFACE, address, Target::Default)?;
    }
    let Edge { netns: inside, socket, .. } = edge;
    netns::visit(inside.as_fd(), netns.as_fd(), || {
        offload::switch_off(&peer)?;
        netlink::take_up(&peer, spec.mtu, QUEUE_PACKETS, false)?;
        let index = netlink::index(&peer)?;
        addresses(spec, host.address).try_for_each(|address| route(socket, index, address, HOSTS))
    })?;
    Ok(netns)
}
