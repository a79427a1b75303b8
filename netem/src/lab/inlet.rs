//! What the kernel drops between a host and the WAN: a packet for which the WAN's end of the device has no room never
//! gets to the WAN's thread, so the kernel's own counters are all that knows of it.
//!
//! They are read by whoever asks and not by the WAN's thread: the kernel answers about interfaces under one lock, which
//! others hold for long while they make some.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};

use super::device::Port;
use super::{netlink, offload};
use crate::netlink::Socket;

/// The counters of one device.
#[derive(Debug)]
pub(crate) struct Inlet {
    /// In the network of the host's end.
    socket: Socket,
    interface: u32,
    at_interface: u64,
    /// The packet socket at the other end of a veth pair: a queue of its own.
    packets: Option<OwnedFd>,
    at_socket: u64,
}

impl Inlet {
    /// The counters of a port whose other end is the interface `name` in the calling thread's network.
    pub(crate) fn of(port: &Port, name: &str) -> io::Result<Inlet> {
        let packets = match port {
            Port::Tun(_) => None,
            Port::Packet { socket, .. } => Some(socket.try_clone()?),
        };
        let (socket, interface) = (Socket::open()?, netlink::index(name)?);
        Ok(Inlet { socket, interface, at_interface: 0, packets, at_socket: 0 })
    }

    /// Packets that the kernel dropped since the device was made.
    pub(crate) fn dropped(&mut self) -> io::Result<u64> {
        if let Some(packets) = &self.packets {
            // Reading the count of a socket sets it back to zero.
            self.at_socket += u64::from(offload::dropped(packets.as_fd())?);
        }
        match netlink::dropped(&mut self.socket, self.interface) {
            Ok(dropped) => self.at_interface = dropped,
            // A host that has removed its device sends nothing more.
            Err(error) if error.raw_os_error().map(Errno::from_raw) == Some(Errno::ENODEV) => {}
            Err(error) => return Err(error),
        }
        Ok(self.at_interface + self.at_socket)
    }

    /// Leaves the packet socket, if there is one, room for one packet. For tests only.
    pub(crate) fn narrow(&self) -> io::Result<()> {
        // The kernel takes its least for a buffer that is too small.
        self.packets.as_ref().map_or(Ok(()), |packets| Ok(setsockopt(packets, sockopt::RcvBuf, &1)?))
    }
}
