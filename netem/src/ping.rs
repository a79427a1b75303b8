//! Our own ICMP echo, for `sim exec HOST -- farquorum lab-ping ADDRESS`: `ping` may not be installed. It takes the
//! echo socket that needs no privilege; the lab allows it in every host. IPv4 and IPv6.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{MsgFlags, SockaddrStorage, sendto};

use crate::clock;
use crate::stamp;

/// Types of request and reply: RFC 792, RFC 4443.
const ECHO_V4: Echo = Echo { request: 8, reply: 0 };
const ECHO_V6: Echo = Echo { request: 128, reply: 129 };
const PAYLOAD_BYTES: usize = 56;

#[derive(Clone, Copy)]
struct Echo {
    request: u8,
    reply: u8,
}

/// How to ping.
#[derive(Clone, Copy, Debug)]
pub struct PingOptions {
    /// Echo requests to send.
    pub count: u16,
    /// Time from one request to the next, at least.
    pub interval: Duration,
    /// Longest wait for a reply.
    pub timeout: Duration,
}

impl Default for PingOptions {
    fn default() -> PingOptions {
        PingOptions { count: 4, interval: Duration::from_millis(200), timeout: Duration::from_secs(2) }
    }
}

/// Sends echo requests one after another from the calling process's network; calls `each` with the round-trip time
/// of each, none for a request without a reply in time.
///
/// # Errors
/// No permission for echo sockets (net.ipv4.ping_group_range), or no route to the address.
pub fn ping(
    address: impl Into<IpAddr>,
    options: PingOptions,
    mut each: impl FnMut(u16, Option<Duration>),
) -> io::Result<Vec<Option<Duration>>> {
    let address = address.into();
    let echo = if address.is_ipv4() { ECHO_V4 } else { ECHO_V6 };
    let socket = echo_socket(address)?;
    let target = SockaddrStorage::from(SocketAddr::new(address, 0));
    let mut results = Vec::with_capacity(usize::from(options.count));
    for sequence in 1..=options.count {
        let (start_ns, sent_ns) = (clock::now_ns(), clock::wall_ns());
        sendto(socket.as_raw_fd(), &request(echo, sequence), &target, MsgFlags::empty())?;
        let rtt = await_reply(&socket, echo, sequence, sent_ns, options.timeout)?;
        each(sequence, rtt);
        results.push(rtt);
        let spent = Duration::from_nanos(clock::now_ns() - start_ns);
        if sequence < options.count {
            std::thread::sleep(options.interval.saturating_sub(spent));
        }
    }
    Ok(results)
}

fn echo_socket(address: IpAddr) -> io::Result<OwnedFd> {
    let (family, protocol) = match address {
        IpAddr::V4(_) => (libc::AF_INET, libc::IPPROTO_ICMP),
        IpAddr::V6(_) => (libc::AF_INET6, libc::IPPROTO_ICMPV6),
    };
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: the call takes no pointers.
    let fd = Errno::result(unsafe { libc::socket(family, kind, protocol) })?;
    // SAFETY: the descriptor is new and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    stamp::enable(&socket)?;
    Ok(socket)
}

/// An echo request; the kernel fills in identifier and checksum.
fn request(echo: Echo, sequence: u16) -> Vec<u8> {
    let mut packet = vec![echo.request, 0, 0, 0, 0, 0];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.resize(packet.len() + PAYLOAD_BYTES, 0);
    packet
}

fn await_reply(
    socket: &OwnedFd,
    echo: Echo,
    sequence: u16,
    sent_ns: u64,
    limit: Duration,
) -> io::Result<Option<Duration>> {
    let start_ns = clock::now_ns();
    let mut buffer = [0; 1024];
    loop {
        let spent = Duration::from_nanos(clock::now_ns() - start_ns);
        let Some(left) = limit.checked_sub(spent) else { return Ok(None) };
        let mut watched = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        match ppoll(&mut watched, Some(left.into()), None) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let arrival = match stamp::receive(socket, &mut buffer) {
            Ok(arrival) => arrival,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        if buffer.get(..arrival.length).is_some_and(|reply| answers(reply, echo, sequence)) {
            return Ok(Some(Duration::from_nanos(arrival.at_ns.saturating_sub(sent_ns))));
        }
    }
}

/// Whether a packet is the reply to this request (a late reply to an earlier one is not).
fn answers(reply: &[u8], echo: Echo, sequence: u16) -> bool {
    reply.first() == Some(&echo.reply) && reply.get(6..8) == Some(&sequence.to_be_bytes())
}
