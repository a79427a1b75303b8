//! The few rtnetlink requests that the lab needs: interfaces, addresses, routes. Written out here so that
//! no `ip` has to be installed. Each request goes over a socket of the calling thread's network namespace.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::net::if_::if_nametoindex;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

// linux/rtnetlink.h, linux/if_link.h
const NLMSG_ERROR: u16 = 2;
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const REQUEST_ACK: u16 = 0x1 | 0x4;
const CREATE_EXCL: u16 = 0x400 | 0x200;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_TXQLEN: u16 = 13;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_PREFSRC: u16 = 7;
const IFF_UP: u32 = 0x1;
const IFF_NOARP: u32 = 0x80;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IFA_F_NODAD: u8 = 0x02;
const TABLE_MAIN: u8 = 254;
const PROTOCOL_STATIC: u8 = 4;
const SCOPE_LINK: u8 = 253;
const TYPE_UNICAST: u8 = 1;
const HEADER_BYTES: usize = 16;

/// A pair of connected Ethernet devices: `name` here, `peer` in another network namespace.
pub(super) struct Veth<'a> {
    pub(super) name: &'a str,
    pub(super) address: [u8; 6],
    pub(super) peer: &'a str,
    pub(super) peer_netns: BorrowedFd<'a>,
}

/// Makes a veth pair, both ends down.
pub(super) fn add_veth(veth: &Veth<'_>) -> io::Result<()> {
    let mut message = Message::new(RTM_NEWLINK, CREATE_EXCL, &interface(0, 0, 0));
    message.attribute(IFLA_IFNAME, &c_string(veth.name));
    message.attribute(IFLA_ADDRESS, &veth.address);
    message.nest(IFLA_LINKINFO, |info| {
        info.attribute(IFLA_INFO_KIND, b"veth");
        info.nest(IFLA_INFO_DATA, |data| {
            data.nest(VETH_INFO_PEER, |peer| {
                peer.bytes.extend_from_slice(&interface(0, 0, 0));
                peer.attribute(IFLA_IFNAME, &c_string(veth.peer));
                peer.attribute(IFLA_NET_NS_FD, &veth.peer_netns.as_raw_fd().to_ne_bytes());
            });
        });
    });
    message.send()
}

/// Sets size and queue of an interface and takes it up. `arp` off: neighbours need not be resolved.
pub(super) fn take_up(name: &str, mtu: u16, queue_packets: u32, arp: bool) -> io::Result<()> {
    let flags = if arp { IFF_UP } else { IFF_UP | IFF_NOARP };
    let mut message = Message::new(RTM_NEWLINK, 0, &interface(index(name)?, flags, flags));
    message.attribute(IFLA_MTU, &u32::from(mtu).to_ne_bytes());
    message.attribute(IFLA_TXQLEN, &queue_packets.to_ne_bytes());
    message.send()
}

/// Deletes an interface.
pub(super) fn delete(name: &str) -> io::Result<()> {
    Message::new(RTM_DELLINK, 0, &interface(index(name)?, 0, 0)).send()
}

/// Takes the loopback interface up.
pub(super) fn take_up_loopback() -> io::Result<()> {
    Message::new(RTM_NEWLINK, 0, &interface(index("lo")?, IFF_UP, IFF_UP)).send()
}

/// Gives an interface one address with the longest prefix: nothing but the host itself is "on the link".
pub(super) fn add_address(name: &str, address: IpAddr) -> io::Result<()> {
    let (family, bits, bytes) = parts(address);
    // Every address is the lab's own and unique: nobody has to be asked whether it is taken.
    let mut body = vec![family, bits, IFA_F_NODAD, 0];
    body.extend_from_slice(&index(name)?.to_ne_bytes());
    let mut message = Message::new(RTM_NEWADDR, CREATE_EXCL, &body);
    message.attribute(IFA_LOCAL, &bytes);
    message.attribute(IFA_ADDRESS, &bytes);
    message.send()
}

/// Where a route leads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// To everything that has no route of its own.
    Default,
    /// To one address.
    Host(IpAddr),
}

/// Routes packets through an interface, with `source` as the sender's address.
pub(super) fn add_route(name: &str, source: IpAddr, target: Target) -> io::Result<()> {
    let (family, bits, source) = parts(source);
    let prefix = if matches!(target, Target::Default) { 0 } else { bits };
    let body = [family, prefix, 0, 0, TABLE_MAIN, PROTOCOL_STATIC, SCOPE_LINK, TYPE_UNICAST, 0, 0, 0, 0];
    let mut message = Message::new(RTM_NEWROUTE, CREATE_EXCL, &body);
    if let Target::Host(address) = target {
        message.attribute(RTA_DST, &parts(address).2);
    }
    message.attribute(RTA_OIF, &index(name)?.to_ne_bytes());
    message.attribute(RTA_PREFSRC, &source);
    message.send()
}

/// Address family, length in bits, bytes.
fn parts(address: IpAddr) -> (u8, u8, Vec<u8>) {
    match address {
        IpAddr::V4(address) => (AF_INET, 32, address.octets().to_vec()),
        IpAddr::V6(address) => (AF_INET6, 128, address.octets().to_vec()),
    }
}

/// Index of an interface in the calling thread's network namespace.
pub(super) fn index(name: &str) -> io::Result<u32> {
    if_nametoindex(name)
        .map_err(|error| io::Error::new(io::Error::from(error).kind(), format!("{name}: {error}")))
}

/// `struct ifinfomsg`.
fn interface(index: u32, flags: u32, change: u32) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    for field in [index, flags, change] {
        bytes.extend_from_slice(&field.to_ne_bytes());
    }
    bytes
}

fn c_string(text: &str) -> Vec<u8> {
    text.bytes().chain([0]).collect()
}

/// A request under construction: everything behind the netlink header.
struct Message {
    kind: u16,
    flags: u16,
    bytes: Vec<u8>,
}

impl Message {
    fn new(kind: u16, flags: u16, body: &[u8]) -> Message {
        Message { kind, flags: flags | REQUEST_ACK, bytes: body.to_vec() }
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Message)) {
        let mut inner = Message { kind: 0, flags: 0, bytes: Vec::new() };
        fill(&mut inner);
        self.attribute(kind, &inner.bytes);
    }

    /// Sends the request and waits for the kernel's acknowledgement.
    fn send(self) -> io::Result<()> {
        let length = u32::try_from(self.bytes.len() + HEADER_BYTES).map_err(io::Error::other)?;
        let mut packet = length.to_ne_bytes().to_vec();
        packet.extend_from_slice(&self.kind.to_ne_bytes());
        packet.extend_from_slice(&self.flags.to_ne_bytes());
        packet.extend_from_slice(&[0; 8]); // sequence and port: one request per socket
        packet.extend_from_slice(&self.bytes);
        let fd = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        send(fd.as_raw_fd(), &packet, MsgFlags::empty())?;
        let mut answer = [0; 1024];
        let length = recv(fd.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        acknowledged(answer.get(..length).unwrap_or_default())
    }
}

/// Reads a `struct nlmsgerr`: zero is success, otherwise a negated errno.
fn acknowledged(answer: &[u8]) -> io::Result<()> {
    let field = |at: usize| answer.get(at..at + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
    let kind = answer.get(4..6).and_then(|bytes| <[u8; 2]>::try_from(bytes).ok()).map(u16::from_ne_bytes);
    match (kind, field(HEADER_BYTES).map(i32::from_ne_bytes)) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(code)) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        _ => Err(io::Error::other("unexpected answer of the kernel to a netlink request")),
    }
}
