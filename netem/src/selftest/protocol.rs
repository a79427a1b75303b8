//! The protocols that a network is tested in, and how far its times may be off in each.

use std::net::IpAddr;

use crate::lab::{HostSpec, Lab};

/// What the hosts of a lab speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Protocol {
    Ipv4,
    Ipv6,
    /// Bytes of a TCP connection through a relay.
    Stream,
}

/// How far a median may be off: the larger of both.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tolerance {
    pub(super) ms: f64,
    pub(super) share: f64,
}

/// Packets carry the kernel's own times of arrival.
const PACKETS: Tolerance = Tolerance { ms: 0.3, share: 0.01 };
/// Bytes have none: their time is when a thread had read them, and four threads take part in a round trip.
const BYTES: Tolerance = Tolerance { ms: 1.0, share: 0.01 };

impl Protocol {
    pub(super) fn of(lab: &Lab) -> &'static [Protocol] {
        if lab.spec().has_ipv6() { &[Protocol::Ipv4, Protocol::Ipv6] } else { &[Protocol::Ipv4] }
    }

    /// How far a median may be off.
    pub(super) fn tolerance(self) -> Tolerance {
        if self == Protocol::Stream { BYTES } else { PACKETS }
    }

    /// IP and UDP header; relays count the bytes of programs only.
    pub(super) fn header_bytes(self) -> f64 {
        match self {
            Protocol::Ipv4 => 28.0,
            Protocol::Ipv6 => 48.0,
            Protocol::Stream => 0.0,
        }
    }

    pub(super) fn address(self, host: &HostSpec) -> IpAddr {
        match self {
            Protocol::Ipv4 | Protocol::Stream => host.address.into(),
            Protocol::Ipv6 => host.ipv6().into(),
        }
    }
}
