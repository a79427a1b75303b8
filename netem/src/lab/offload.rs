//! Requests to network devices for which there is no safe wrapper: naming a TUN, switching offloads off, options and
//! counters of packet sockets. All unsafe code of the devices is here.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, LinkAddr, SockFlag, SockType, SockaddrLike, socket};

/// IFF_TUN | IFF_NO_PI: bare IP packets, no header of any kind.
const TUN_FLAGS: libc::c_short = 0x0001 | 0x1000;
// linux/ethtool.h: generic receive, segmentation, TCP segmentation, scatter-gather, transmit checksum.
const ETHTOOL_SWITCHES: [u32; 5] = [0x2c, 0x24, 0x1f, 0x19, 0x17];
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;
const PACKET_STATISTICS: libc::c_int = 6;

/// Makes the TUN interface of this name in the calling thread's network namespace. A TUN offers no offloads unless
/// asked to.
pub(super) fn name_tun(file: &File, name: &str) -> io::Result<()> {
    let mut request = request_for(name);
    request.ifr_ifru.ifru_flags = TUN_FLAGS;
    // SAFETY: TUNSETIFF reads and writes one `ifreq`, which lives through the call.
    Errno::result(unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })?;
    Ok(())
}

/// `struct ethtool_value`.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// Switches every offload of an interface off; what a driver does not know stays as it is.
pub(crate) fn switch_off(name: &str) -> io::Result<()> {
    let fd = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    for command in ETHTOOL_SWITCHES {
        let mut value = EthtoolValue { command, data: 0 };
        let mut request = request_for(name);
        request.ifr_ifru.ifru_data = (&raw mut value).cast();
        // SAFETY: SIOCETHTOOL reads one `ifreq` whose data points to an `ethtool_value`; both live through the call.
        match Errno::result(unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) }) {
            Ok(_) | Err(Errno::EOPNOTSUPP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Keeps a packet socket from reading what it sent itself.
pub(super) fn ignore_own_packets(fd: &OwnedFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    let length = libc::socklen_t::try_from(size_of_val(&on)).map_err(io::Error::other)?;
    // SAFETY: the option takes one int, which lives through the call.
    Errno::result(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_PACKET,
            PACKET_IGNORE_OUTGOING,
            (&raw const on).cast(),
            length,
        )
    })?;
    Ok(())
}

/// Packets that found no room at a packet socket since the last time.
pub(super) fn dropped(fd: BorrowedFd<'_>) -> io::Result<u32> {
    // `struct tpacket_stats`: packets, drops.
    let mut counts = [0_u32; 2];
    let mut length = libc::socklen_t::try_from(size_of_val(&counts)).map_err(io::Error::other)?;
    // SAFETY: the kernel writes at most `length` bytes, which is the size of `counts`; both live through the call.
    Errno::result(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_PACKET,
            PACKET_STATISTICS,
            counts.as_mut_ptr().cast(),
            &raw mut length,
        )
    })?;
    let [_, drops] = counts;
    Ok(drops)
}

/// The address of an Ethernet neighbour behind an interface, for packets of a protocol (ETH_P_*).
pub(super) fn link_address(index: u32, protocol: libc::c_int, address: [u8; 6]) -> Option<LinkAddr> {
    let [a, b, c, d, e, f] = address;
    let raw = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).ok()?,
        sll_protocol: u16::try_from(protocol).ok()?.to_be(),
        sll_ifindex: i32::try_from(index).ok()?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: [a, b, c, d, e, f, 0, 0],
    };
    let length = libc::socklen_t::try_from(size_of_val(&raw)).ok()?;
    // SAFETY: `raw` is a whole `sockaddr_ll` and its family says so.
    unsafe { LinkAddr::from_raw((&raw const raw).cast(), Some(length)) }
}

fn request_for(name: &str) -> libc::ifreq {
    // SAFETY: `ifreq` is plain old data; all zeros is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays zero.
    let room = request.ifr_name.len() - 1;
    for (slot, byte) in request.ifr_name.iter_mut().take(room).zip(name.bytes()) {
        *slot = libc::c_char::from_ne_bytes([byte]);
    }
    request
}
