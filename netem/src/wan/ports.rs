//! The devices of the WAN: one for each host, or one for all of them, behind which the kernel routes (the gateway of
//! containers).

use crate::lab::Port;

/// Where packets come from and go to.
#[derive(Debug)]
pub(crate) enum Ports {
    /// In the order of the hosts. Who sends is known by the device.
    Each(Vec<Port>),
    /// Who sends is known by the packet's source alone.
    Shared(Port),
}

impl Ports {
    /// All devices, by number.
    pub(super) fn all(&self) -> &[Port] {
        match self {
            Ports::Each(ports) => ports,
            Ports::Shared(port) => std::slice::from_ref(port),
        }
    }

    /// The device that leads to a host.
    pub(super) fn to(&self, host: usize) -> Option<&Port> {
        match self {
            Ports::Each(ports) => ports.get(host),
            Ports::Shared(port) => Some(port),
        }
    }

    /// The host behind a device; none when it may be any.
    pub(super) fn host_of(&self, device: usize) -> Option<usize> {
        match self {
            Ports::Each(_) => Some(device),
            Ports::Shared(_) => None,
        }
    }
}
