//! What the gateway of a cloud does with a packet before the link: who may send it, who receives it, and when its
//! sender is told that it goes nowhere. Pure.
//!
//! A host's own address is the only source that it may use. A packet that leaves its cloud loses one hop at its
//! cloud's gateway (a `.1`, see [`gateway`]); inside a cloud nothing routes, so no hop is lost. Refusals are answered
//! by the gateway of the sender's cloud. A cut is no refusal: the link is silent, as it is in a real outage.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use super::icmp::Refusal;
use super::packet::{Header, take_hop};
use super::strays::Stray;
use crate::lab::{LabSpec, gateway, ipv4_of, ipv6_of};

/// What becomes of a packet at its sender's gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// It goes to this host.
    To(usize),
    /// It goes nowhere, and its sender may be told so.
    Refused(Refusal),
    /// It goes nowhere, and nobody is told.
    Dropped(Stray),
}

/// Addresses of hosts and gateways.
#[derive(Debug)]
pub(super) struct Routes {
    /// IPv4 addresses stand for both: each IPv6 address is made from one.
    by_address: HashMap<Ipv4Addr, usize>,
    hosts: Vec<Host>,
    mtu: u16,
}

/// A host, and the gateway of its cloud.
#[derive(Clone, Copy, Debug)]
struct Host {
    address: Ipv4Addr,
    gateway: Ipv4Addr,
}

impl Routes {
    /// The routes of a checked spec.
    pub(super) fn of(spec: &LabSpec) -> Routes {
        let host = |host: &crate::lab::HostSpec| {
            let network = spec.clouds.get(&host.cloud)?;
            Some(Host { address: host.address, gateway: gateway(*network) })
        };
        let addresses = spec.hosts.iter().enumerate().map(|(index, host)| (host.address, index));
        Routes {
            by_address: addresses.collect(),
            hosts: spec.hosts.iter().filter_map(host).collect(),
            mtu: spec.mtu,
        }
    }

    /// Decides about a packet that host `from` sent, and takes a hop off when it leaves its cloud.
    pub(super) fn route(&self, from: usize, packet: &mut [u8]) -> Route {
        let Some(header) = Header::of(packet) else { return Route::Dropped(Stray::Ignored) };
        if header.destination.is_multicast() {
            return Route::Dropped(Stray::Ignored);
        }
        let (sender, source) = (self.hosts.get(from), identity(header.source));
        let Some(sender) = sender.filter(|sender| source == Some(sender.address)) else {
            return Route::Dropped(Stray::Spoofed);
        };
        if packet.len() > usize::from(self.mtu) {
            return Route::Refused(Refusal::TooBig(self.mtu));
        }
        let Some(to) = identity(header.destination).and_then(|address| self.by_address.get(&address)) else {
            return Route::Refused(Refusal::Unreachable);
        };
        if self.hosts.get(*to).is_some_and(|receiver| receiver.gateway != sender.gateway) {
            if header.hops <= 1 {
                return Route::Refused(Refusal::Expired);
            }
            take_hop(packet);
        }
        Route::To(*to)
    }

    /// The host whose address a packet has as its source.
    pub(super) fn sender(&self, packet: &[u8]) -> Option<usize> {
        self.by_address.get(&identity(Header::of(packet)?.source)?).copied()
    }

    /// The gateway that answers a host, in the protocol of its packet.
    pub(super) fn gateway_of(&self, host: usize, packet: &[u8]) -> Option<IpAddr> {
        let gateway = self.hosts.get(host)?.gateway;
        Some(match Header::of(packet)?.source {
            IpAddr::V4(_) => gateway.into(),
            IpAddr::V6(_) => ipv6_of(gateway).into(),
        })
    }
}

/// The IPv4 address that stands for a host.
fn identity(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(address) => ipv4_of(address),
    }
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
