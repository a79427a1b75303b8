//! Links of the kernel backend for a gateway, which is one network and not one for each cloud: each directed link is a
//! pair of devices in it, with the netem at the end where packets go in. What leads packets there is the gateway's.
//!
//! Limits: inside a cloud there is no link; a cloud's packets to itself do not come here.

use std::io;

use super::QUEUE_PACKETS;
use super::edges::Edge;
use super::qdisc::Netem;
use crate::lab::netlink::{self, Veth};
use crate::lab::{netns, offload};
use crate::netlink::Socket;
use std::os::fd::AsFd;

/// Makes the devices of every link in the calling thread's network; `netems` are in the order of the links, and
/// `names` gives the two ends of one. The devices are up when their netem is there, and not before.
pub(super) fn make(
    clouds: usize,
    netems: &[Netem],
    mtu: u16,
    names: impl Fn(usize, usize) -> (String, String),
) -> io::Result<Vec<Edge>> {
    let mut edges = Vec::with_capacity(clouds);
    for from in 0..clouds {
        let mut edge = Edge { netns: netns::current()?, socket: Socket::open()?, outs: vec![0; clouds] };
        for to in (0..clouds).filter(|to| *to != from) {
            let Some(netem) = netems.get(from * clouds + to) else { continue };
            let (name, peer) = names(from, to);
            let index = join(&mut edge, (&name, &peer), netem, mtu)?;
            if let Some(out) = edge.outs.get_mut(to) {
                *out = index;
            }
        }
        edges.push(edge);
    }
    Ok(edges)
}

/// One link; what an earlier attempt left of it is replaced.
fn join(edge: &mut Edge, (name, peer): (&str, &str), netem: &Netem, mtu: u16) -> io::Result<u32> {
    // An error: it is not there, as it should be.
    let _ = netlink::delete(name);
    // Both ends have the same address: without ARP, a packet's receiver is its sender.
    let address = [2, 1, 0, 0, 0, 0];
    let Edge { netns, socket, .. } = edge;
    netlink::add_veth(&Veth { name, address, peer, peer_address: Some(address), peer_netns: netns.as_fd() })?;
    let index = netlink::index(name)?;
    netem.add(socket, index).inspect_err(|_| drop(netlink::delete(name)))?;
    for end in [name, peer] {
        offload::switch_off(end)?;
        netlink::take_up(end, mtu, QUEUE_PACKETS, false)?;
    }
    Ok(index)
}
