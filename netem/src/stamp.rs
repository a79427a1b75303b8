//! Receiving with the kernel's own time of arrival: a receiver that waits for its turn on a busy machine must not
//! look like a slow link. These times are of CLOCK_REALTIME, since the kernel stamps with no other.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};

use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;

use crate::clock;

/// A received packet.
pub(crate) struct Arrival {
    pub(crate) length: usize,
    pub(crate) from: Option<SocketAddr>,
    /// When it reached the host, nanoseconds of CLOCK_REALTIME.
    pub(crate) at_ns: u64,
}

/// Asks for the times of arrival.
pub(crate) fn enable(socket: &impl AsFd) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::ReceiveTimestampns, &true)?)
}

/// Receives one packet, as the socket's timeout and flags say.
pub(crate) fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<Arrival> {
    let mut space = cmsg_space!(TimeSpec);
    let mut parts = [IoSliceMut::new(buffer)];
    let fd = socket.as_fd().as_raw_fd();
    let message = recvmsg::<SockaddrStorage>(fd, &mut parts, Some(&mut space), MsgFlags::empty())?;
    let stamps = message.cmsgs()?.filter_map(|control| match control {
        ControlMessageOwned::ScmTimestampns(stamp) => clock::to_ns(stamp),
        _ => None,
    });
    let at_ns = stamps.last().unwrap_or_else(clock::wall_ns);
    Ok(Arrival { length: message.bytes, from: message.address.as_ref().and_then(standard), at_ns })
}

fn standard(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|address| SocketAddrV4::from(*address).into());
    v4.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddrV6::from(*address).into()))
}
