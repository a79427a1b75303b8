//! The few requests of interfaces, addresses and routes that the lab needs. Each goes over a socket of the calling
//! thread's network namespace.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::net::if_::if_nametoindex;

use crate::netlink::{Attributes, CREATE_EXCL, Message, Socket, c_string};

// linux/rtnetlink.h, linux/if_link.h
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETQDISC: u16 = 38;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_TXQLEN: u16 = 13;
const IFLA_LINKINFO: u16 = 18;
const IFLA_STATS64: u16 = 23;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
/// `tx_dropped` in `struct rtnl_link_stats64`, behind seven counters of 64 bits.
const TX_DROPPED_AT: usize = 7 * 8;
/// Size of `struct ifinfomsg`.
const IFINFOMSG_BYTES: usize = 16;
// linux/pkt_sched.h, linux/gen_stats.h; drops are the third field of `struct gnet_stats_queue`.
const TCA_STATS2: u16 = 7;
const TCA_STATS_QUEUE: u16 = 3;
const DROPS_AT: usize = 2 * 4;
/// Size of `struct tcmsg`: family, interface, handle, parent, info.
const TCMSG_BYTES: usize = 20;
const ROOT: u32 = 0xffff_ffff;
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

/// A pair of connected Ethernet devices: `name` here, `peer` in another network namespace.
pub(crate) struct Veth<'a> {
    pub(crate) name: &'a str,
    pub(crate) address: [u8; 6],
    pub(crate) peer: &'a str,
    /// Hardware address of the peer; none: the kernel makes one up.
    pub(crate) peer_address: Option<[u8; 6]>,
    pub(crate) peer_netns: BorrowedFd<'a>,
}

/// Makes a veth pair, both ends down.
pub(crate) fn add_veth(veth: &Veth<'_>) -> io::Result<()> {
    let mut message = Message::new(RTM_NEWLINK, CREATE_EXCL, &interface(0, 0, 0));
    message.attribute(IFLA_IFNAME, &c_string(veth.name));
    message.attribute(IFLA_ADDRESS, &veth.address);
    message.nest(IFLA_LINKINFO, &[], |info| {
        info.attribute(IFLA_INFO_KIND, b"veth");
        info.nest(IFLA_INFO_DATA, &[], |data| {
            data.nest(VETH_INFO_PEER, &interface(0, 0, 0), |peer| {
                peer.attribute(IFLA_IFNAME, &c_string(veth.peer));
                if let Some(address) = veth.peer_address {
                    peer.attribute(IFLA_ADDRESS, &address);
                }
                peer.attribute(IFLA_NET_NS_FD, &veth.peer_netns.as_raw_fd().to_ne_bytes());
            });
        });
    });
    send(&message)
}

/// Gives the interface with this index another link address, while it is up.
pub(crate) fn link_address(index: u32, address: [u8; 6]) -> Message {
    let mut message = Message::new(RTM_NEWLINK, 0, &interface(index, 0, 0));
    message.attribute(IFLA_ADDRESS, &address);
    message
}

/// Sets size and queue of an interface and takes it up. `arp` off: neighbours need not be resolved.
pub(crate) fn take_up(name: &str, mtu: u16, queue_packets: u32, arp: bool) -> io::Result<()> {
    let flags = if arp { IFF_UP } else { IFF_UP | IFF_NOARP };
    let mut message = Message::new(RTM_NEWLINK, 0, &interface(index(name)?, flags, flags));
    message.attribute(IFLA_MTU, &u32::from(mtu).to_ne_bytes());
    message.attribute(IFLA_TXQLEN, &queue_packets.to_ne_bytes());
    send(&message)
}

/// Deletes an interface.
pub(crate) fn delete(name: &str) -> io::Result<()> {
    send(&Message::new(RTM_DELLINK, 0, &interface(index(name)?, 0, 0)))
}

/// Deletes the interface with this index in the network of `socket`.
pub(crate) fn delete_at(socket: &mut Socket, index: u32) -> io::Result<()> {
    socket.change(&Message::new(RTM_DELLINK, 0, &interface(index, 0, 0)))
}

/// Packets that the interface with this index in the network of `socket` was given to send, and that were dropped by it
/// or by the queueing discipline in front of it, where packets wait while another processor sends.
pub(crate) fn dropped(socket: &mut Socket, index: u32) -> io::Result<u64> {
    let answers = socket.ask(&Message::new(RTM_GETLINK, 0, &interface(index, 0, 0)))?;
    let read = answers.iter().find_map(|answer| read_dropped(answer));
    let read =
        read.ok_or_else(|| io::Error::other(format!("the kernel tells no counters of interface {index}")))?;
    let disciplines = match socket.ask(&Message::dump(RTM_GETQDISC, &[0; TCMSG_BYTES])) {
        // A kernel without them.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Vec::new(),
        other => other?,
    };
    let waiting: u64 = disciplines.iter().filter_map(|answer| read_discipline(answer, index)).sum();
    Ok(read + waiting)
}

/// What the discipline of an interface dropped; none of another interface, or of a part of a discipline.
fn read_discipline(answer: &[u8], index: u32) -> Option<u64> {
    let (head, rest) = answer.split_at_checked(TCMSG_BYTES)?;
    let field =
        |bytes: &[u8], at: usize| bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
    if field(head, 4)? != index || field(head, 12)? != ROOT {
        return None;
    }
    let stats = Attributes::of(Attributes::of(rest).find(TCA_STATS2)?).find(TCA_STATS_QUEUE)?;
    field(stats, DROPS_AT).map(u64::from)
}

fn read_dropped(answer: &[u8]) -> Option<u64> {
    let stats = Attributes::of(answer.get(IFINFOMSG_BYTES..)?).find(IFLA_STATS64)?;
    stats.get(TX_DROPPED_AT..)?.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes))
}

/// Takes the loopback interface up.
pub(crate) fn take_up_loopback() -> io::Result<()> {
    send(&Message::new(RTM_NEWLINK, 0, &interface(index("lo")?, IFF_UP, IFF_UP)))
}

/// Gives an interface one address with the longest prefix: nothing but the host itself is "on the link".
pub(crate) fn add_address(name: &str, address: IpAddr) -> io::Result<()> {
    let (family, bits, bytes) = parts(address);
    // Every address is the lab's own and unique: nobody has to be asked whether it is taken.
    let mut body = vec![family, bits, IFA_F_NODAD, 0];
    body.extend_from_slice(&index(name)?.to_ne_bytes());
    let mut message = Message::new(RTM_NEWADDR, CREATE_EXCL, &body);
    message.attribute(IFA_LOCAL, &bytes);
    message.attribute(IFA_ADDRESS, &bytes);
    send(&message)
}

/// Where a route leads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// To everything that has no route of its own.
    Default,
    /// To one address.
    Host(IpAddr),
}

/// Routes packets through an interface, with `source` as the sender's address.
pub(crate) fn add_route(name: &str, source: IpAddr, target: Target) -> io::Result<()> {
    let (family, bits, source) = parts(source);
    let prefix = if matches!(target, Target::Default) { 0 } else { bits };
    let body = [family, prefix, 0, 0, TABLE_MAIN, PROTOCOL_STATIC, SCOPE_LINK, TYPE_UNICAST, 0, 0, 0, 0];
    let mut message = Message::new(RTM_NEWROUTE, CREATE_EXCL, &body);
    if let Target::Host(address) = target {
        message.attribute(RTA_DST, &parts(address).2);
    }
    message.attribute(RTA_OIF, &index(name)?.to_ne_bytes());
    message.attribute(RTA_PREFSRC, &source);
    send(&message)
}

/// Address family, length in bits, bytes.
pub(crate) fn parts(address: IpAddr) -> (u8, u8, Vec<u8>) {
    match address {
        IpAddr::V4(address) => (AF_INET, 32, address.octets().to_vec()),
        IpAddr::V6(address) => (AF_INET6, 128, address.octets().to_vec()),
    }
}

/// Index of an interface in the calling thread's network namespace.
pub(crate) fn index(name: &str) -> io::Result<u32> {
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

fn send(message: &Message) -> io::Result<()> {
    Socket::open()?.change(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_interface_dropped_is_the_eighth_counter() {
        let counters: Vec<u8> = (1_u64..=24).flat_map(u64::to_ne_bytes).collect();
        let mut answer = Message::new(RTM_NEWLINK, 0, &interface(3, 0, 0));
        answer.attribute(IFLA_IFNAME, &c_string("wan0"));
        answer.attribute(IFLA_STATS64, &counters);
        assert_eq!(read_dropped(answer.body()), Some(8));
        assert_eq!(read_dropped(&answer.body()[..80]), None, "cut short");
    }

    #[test]
    fn what_a_discipline_dropped_is_counted_once_and_for_its_interface() {
        let of = |interface: u32, parent: u32| {
            let head: Vec<u8> = [0, interface, 0, parent, 0].into_iter().flat_map(u32::to_ne_bytes).collect();
            let counters: Vec<u8> = [1_u32, 2, 3, 4, 5].into_iter().flat_map(u32::to_ne_bytes).collect();
            let mut answer = Message::new(36, 0, &head);
            answer.nest(TCA_STATS2, &[], |stats| stats.attribute(TCA_STATS_QUEUE, &counters));
            read_discipline(answer.body(), 7)
        };
        assert_eq!([of(7, ROOT), of(8, ROOT), of(7, 1)], [Some(3), None, None]);
    }
}
