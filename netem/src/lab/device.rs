//! The device through which a host's packets reach the WAN: one interface `wan0` inside the host's namespace, and a
//! file descriptor that stays with the WAN.
//!
//! A TUN is the plain way. Where /dev/net/tun may not be opened (mode 0600 on some machines), a veth pair does the
//! same: the far end lies in a hub namespace, and a packet socket bound to it stands in for the TUN. The hub routes
//! nothing; hosts see each other through the WAN alone. Neighbours are not looked up (no ARP, no neighbour
//! discovery): there is one at the other end of a cable, whatever address a packet has. Both carry bare IP packets, one per read and write, with
//! checksums complete and no segmentation offload (a lost super-packet would be many lost packets).

use std::fs::{File, OpenOptions};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::{io, iter};

use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, sendto, setsockopt,
    socket, sockopt,
};

use super::address::ipv6_of;
use super::netlink::{self, Target, Veth};
use super::offload;

/// Name of the interface in every host.
pub const INTERFACE: &str = "wan0";
/// Packets that wait in the kernel for the WAN to read them: a tenth of a second at 100,000 packets/s. The default
/// of 500 drops bursts of TCP before the link model sees them.
pub(super) const QUEUE_PACKETS: u32 = 10_000;
/// The same for packet sockets, in bytes.
const SOCKET_BUFFER_BYTES: usize = 16 << 20;

/// Which kind of device the hosts of a lab have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// TUN devices.
    Tun,
    /// veth pairs and packet sockets.
    Packet,
}

impl DeviceKind {
    /// The kind that works here, and the reason in words.
    pub fn choose() -> (DeviceKind, String) {
        match open_tun() {
            Ok(_) => (DeviceKind::Tun, "/dev/net/tun can be opened".to_string()),
            Err(error) => (DeviceKind::Packet, format!("/dev/net/tun cannot be opened: {error}")),
        }
    }
}

/// The WAN's end of a host's device.
#[derive(Debug)]
pub(crate) enum Port {
    Tun(File),
    Packet { socket: OwnedFd, host: Neighbour },
}

/// The host at the other end of a veth pair, as a packet socket names it: once for each protocol.
#[derive(Debug)]
pub(crate) struct Neighbour {
    ipv4: LinkAddr,
    ipv6: LinkAddr,
}

impl Neighbour {
    fn new(index: u32, address: [u8; 6]) -> io::Result<Neighbour> {
        let of = |protocol| link_address(index, protocol, address);
        Ok(Neighbour { ipv4: of(libc::ETH_P_IP)?, ipv6: of(libc::ETH_P_IPV6)? })
    }

    fn of(&self, packet: &[u8]) -> &LinkAddr {
        if packet.first().is_some_and(|byte| byte >> 4 == 6) { &self.ipv6 } else { &self.ipv4 }
    }
}

impl Port {
    /// Makes and configures the device; the calling thread must be in the host's network namespace. `number` is
    /// unique in the lab.
    pub(super) fn open(kind: DeviceKind, spec: &PortSpec<'_>) -> io::Result<Port> {
        let port = match kind {
            DeviceKind::Tun => Port::Tun(make_tun()?),
            DeviceKind::Packet => make_packet(spec)?,
        };
        netlink::take_up(INTERFACE, spec.mtu, QUEUE_PACKETS, kind == DeviceKind::Tun)?;
        let ipv6 = spec.ipv6.then(|| ipv6_of(spec.address).into());
        for address in iter::once(spec.address.into()).chain(ipv6) {
            netlink::add_address(INTERFACE, address)?;
            netlink::add_route(INTERFACE, address, Target::Default)?;
        }
        Ok(port)
    }

    /// A TUN of this name in the calling thread's network, up and without an address.
    pub(crate) fn tun(name: &str, mtu: u16) -> io::Result<Port> {
        let file = open_tun()?;
        offload::name_tun(&file, name)?;
        netlink::take_up(name, mtu, QUEUE_PACKETS, true)?;
        Ok(Port::Tun(file))
    }

    /// Reads one IP packet; EAGAIN when there is none, EBADFD when the device is gone.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> nix::Result<usize> {
        match self {
            Port::Tun(file) => nix::unistd::read(file, buffer),
            Port::Packet { socket, .. } => recv(socket.as_raw_fd(), buffer, MsgFlags::empty()),
        }
    }

    /// Hands one IP packet to the host.
    pub(crate) fn write(&self, packet: &[u8]) -> nix::Result<()> {
        match self {
            Port::Tun(file) => nix::unistd::write(file, packet)?,
            Port::Packet { socket, host } => {
                sendto(socket.as_raw_fd(), packet, host.of(packet), MsgFlags::empty())?
            }
        };
        Ok(())
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Port::Tun(file) => file.as_fd(),
            Port::Packet { socket, .. } => socket.as_fd(),
        }
    }
}

/// What a device needs to know.
pub(super) struct PortSpec<'a> {
    pub(super) number: usize,
    pub(super) address: Ipv4Addr,
    pub(super) mtu: u16,
    pub(super) ipv6: bool,
    pub(super) host: BorrowedFd<'a>,
    pub(super) hub: BorrowedFd<'a>,
}

fn open_tun() -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open("/dev/net/tun")
}

fn make_tun() -> io::Result<File> {
    let file = open_tun()?;
    offload::name_tun(&file, INTERFACE)?;
    Ok(file)
}

fn make_packet(spec: &PortSpec<'_>) -> io::Result<Port> {
    let peer = format!("host{}", spec.number);
    let [a, b, c, d] = spec.address.octets();
    let address = [0x02, 0x00, a, b, c, d];
    netlink::add_veth(&Veth {
        name: INTERFACE,
        address,
        peer: &peer,
        peer_address: None,
        peer_netns: spec.hub,
    })?;
    offload::switch_off(INTERFACE)?;
    let (socket, index) = super::netns::visit(spec.hub, spec.host, || {
        offload::switch_off(&peer)?;
        // The Ethernet header is another 14 bytes, outside the MTU.
        netlink::take_up(&peer, spec.mtu, QUEUE_PACKETS, false)?;
        let index = netlink::index(&peer)?;
        Ok((packet_socket(index)?, index))
    })?;
    Ok(Port::Packet { socket, host: Neighbour::new(index, address)? })
}

/// A socket that sees the IP packets that arrive at one interface, without their Ethernet header.
fn packet_socket(index: u32) -> io::Result<OwnedFd> {
    let fd = socket(
        AddressFamily::Packet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        None::<SockProtocol>, // nothing arrives before bind names the interface
    )?;
    offload::ignore_own_packets(&fd)?;
    if setsockopt(&fd, sockopt::RcvBufForce, &SOCKET_BUFFER_BYTES).is_err() {
        setsockopt(&fd, sockopt::RcvBuf, &SOCKET_BUFFER_BYTES)?;
    }
    bind(fd.as_raw_fd(), &link_address(index, libc::ETH_P_ALL, [0; 6])?)?;
    Ok(fd)
}

fn link_address(index: u32, protocol: libc::c_int, address: [u8; 6]) -> io::Result<LinkAddr> {
    offload::link_address(index, protocol, address)
        .ok_or_else(|| io::Error::other(format!("interface {index} has no packet address")))
}
