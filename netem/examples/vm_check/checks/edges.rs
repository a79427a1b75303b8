//! What a host is told at the edge of its cloud: that a packet has no hop left, that one is too long.

use std::io::IoSliceMut;
use std::net::{IpAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::thread::sleep;
use std::time::Duration;

use farquorum_config::LabBackend;
use farquorum_netem::lab::{Lab, gateway, ipv6_of};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};

use super::{DELAY_MS, WAY};
use crate::Outcome;
use crate::figure::Figure;
use crate::network::plain;
use crate::train::socket;

/// Longest wait for a message, or for a packet that takes `DELAY_MS`.
const PATIENCE: Duration = Duration::from_millis(200);
const MTU: u16 = 1_500;

/// An ICMP message about a packet: its sender, type, code, and what it says of the MTU.
type Told = (IpAddr, u8, u8, u32);

/// Hops and sizes, in both protocols.
pub(super) fn edges(lab: &Lab, _floor_ms: f64) -> Outcome<Vec<Figure>> {
    let (from, to) = WAY;
    lab.control().set_link("aws", "gcp", plain(DELAY_MS))?;
    let network = lab.spec().clouds.get("aws").ok_or("no such cloud")?;
    let address = gateway(*network);
    // Between two clouds the kernel has two routers, user space has one.
    let hops = if lab.spec().backend == LabBackend::Kernel { 2 } else { 1 };
    let mut figures = Vec::new();
    for (ipv6, family) in [(false, "IPv4"), (true, "IPv6")] {
        let (sender, receiver) = (socket(lab, from, ipv6)?, socket(lab, to, ipv6)?);
        sender.connect(receiver.local_addr()?)?;
        receiver.set_read_timeout(Some(PATIENCE))?;
        let edge: IpAddr = if ipv6 { ipv6_of(address).into() } else { address.into() };
        let [expired, too_big]: [Told; 2] = match ipv6 {
            false => [(edge, 11, 0, 0), (edge, 3, 4, MTU.into())],
            true => [(edge, 3, 0, 0), (edge, 2, 0, MTU.into())],
        };
        let mut told_rightly = |what: &str, right: Told, told: Option<Told>| {
            if told != Some(right) {
                println!("{what}, {family}: {told:?} instead of {right:?}");
            }
            figures.push(Figure::exact(&format!("{what}, {family}"), 1, u64::from(told == Some(right))));
        };
        set_hops(&sender, ipv6, 1)?;
        sender.send(b"?")?;
        told_rightly("told: no hop left", expired, told(&sender));
        let mut taken = 0;
        for ttl in 2..6 {
            set_hops(&sender, ipv6, ttl)?;
            sender.send(b"?")?;
            taken += 1;
            if receiver.recv(&mut [0]).is_ok() {
                break;
            }
            told(&sender);
        }
        // Only a host with a larger MTU than the link's can send a packet that is too long: here, by one byte.
        lab.resize(from, MTU + 1)?;
        set_hops(&sender, ipv6, 64)?;
        do_not_fragment(&sender, ipv6)?;
        let headers = if ipv6 { 48 } else { 28 };
        sender.send(&vec![0; usize::from(MTU) + 1 - headers])?;
        told_rightly("told: too long", too_big, told(&sender));
        lab.resize(from, MTU)?;
        figures.push(Figure::exact(&format!("hops between clouds, {family}"), hops, taken));
    }
    Ok(figures)
}

/// The message that comes to a socket, if one comes.
fn told(socket: &UdpSocket) -> Option<Told> {
    for _ in 0..PATIENCE.as_millis() {
        let mut space = cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
        let (mut buffer, flags) = ([0; 2_000], MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT);
        let mut parts = [IoSliceMut::new(&mut buffer)];
        match recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags) {
            Ok(message) => {
                return message.cmsgs().ok()?.find_map(|one| match one {
                    ControlMessageOwned::Ipv4RecvErr(error, Some(from)) => {
                        let from = IpAddr::from(u32::from_be(from.sin_addr.s_addr).to_be_bytes());
                        Some((from, error.ee_type, error.ee_code, error.ee_info))
                    }
                    ControlMessageOwned::Ipv6RecvErr(error, Some(from)) => {
                        Some((from.sin6_addr.s6_addr.into(), error.ee_type, error.ee_code, error.ee_info))
                    }
                    _ => None,
                });
            }
            Err(Errno::EAGAIN) => sleep(Duration::from_millis(1)),
            Err(_) => return None,
        }
    }
    None
}

/// Limits the hops of a socket's packets, and asks for the messages about them.
fn set_hops(socket: &UdpSocket, ipv6: bool, hops: i32) -> nix::Result<()> {
    if ipv6 {
        setsockopt(socket, sockopt::Ipv6Ttl, &hops)?;
        setsockopt(socket, sockopt::Ipv6RecvErr, &true)
    } else {
        setsockopt(socket, sockopt::Ipv4Ttl, &hops)?;
        setsockopt(socket, sockopt::Ipv4RecvErr, &true)
    }
}

/// Sends packets whole, whatever was heard of the path before.
fn do_not_fragment(socket: &UdpSocket, ipv6: bool) -> Outcome<()> {
    let (level, option, value) = match ipv6 {
        false => (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE),
        true => (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE),
    };
    let length = libc::socklen_t::try_from(size_of_val(&value))?;
    // SAFETY: the option takes one int, which lives through the call.
    Errno::result(unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), length)
    })?;
    Ok(())
}
