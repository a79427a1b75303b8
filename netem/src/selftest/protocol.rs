//! The protocols that a lab is tested in.

use std::net::IpAddr;

use crate::lab::{HostSpec, Lab};

/// What the hosts of a lab speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Protocol {
    Ipv4,
    Ipv6,
}

impl Protocol {
    pub(super) fn of(lab: &Lab) -> &'static [Protocol] {
        if lab.spec().has_ipv6() { &[Protocol::Ipv4, Protocol::Ipv6] } else { &[Protocol::Ipv4] }
    }

    /// IP and UDP header.
    pub(super) fn header_bytes(self) -> f64 {
        match self {
            Protocol::Ipv4 => 28.0,
            Protocol::Ipv6 => 48.0,
        }
    }

    pub(super) fn address(self, host: &HostSpec) -> IpAddr {
        match self {
            Protocol::Ipv4 => host.address.into(),
            Protocol::Ipv6 => host.ipv6().into(),
        }
    }
}
