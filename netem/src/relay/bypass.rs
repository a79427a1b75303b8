//! Connections past the relays. All processes share one loopback, so nothing keeps one from dialling where a service
//! really listens; the kernel's table of connections (proc(5), /proc/net/tcp) shows who did: whatever leads to a
//! service and is not a socket of this process, in which the relays are.
//!
//! Limit: it sees what is open at the moment of the look.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use crate::error::{Doing, LabError};

/// State of an open connection in the kernel's table.
const ESTABLISHED: &str = "01";

/// How an IPv4 address begins in the table of IPv6 (::ffff:a.b.c.d, in numbers of this machine's byte order).
const MAPPED: &str =
    if cfg!(target_endian = "little") { "0000000000000000FFFF0000" } else { "00000000000000000000FFFF" };

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Open {
    local: SocketAddr,
    remote: SocketAddr,
    inode: u64,
}

/// Connections to `targets` that are not this process's own, each in words.
pub(super) fn find(targets: &BTreeMap<SocketAddr, String>) -> Result<Vec<String>, LabError> {
    // A socket of ours that closes between the two looks of a round is not in both rounds.
    let foreign = foreign(targets)?;
    if foreign.is_empty() {
        return Ok(Vec::new());
    }
    let still = self::foreign(targets)?;
    let words = |open: &Open| {
        let service = targets.get(&open.remote).map_or("a service", String::as_str);
        format!("a connection goes to {service} past its relay, from {} to {}", open.local, open.remote)
    };
    Ok(foreign.intersection(&still).map(words).collect())
}

fn foreign(targets: &BTreeMap<SocketAddr, String>) -> Result<BTreeSet<Open>, LabError> {
    let mut table = fs::read_to_string("/proc/net/tcp").doing(|| "read /proc/net/tcp".to_string())?;
    // IPv4 from sockets of IPv6 stands in the other table; a kernel without IPv6 has none.
    table.push_str(&fs::read_to_string("/proc/net/tcp6").unwrap_or_default());
    let ours = own_sockets()?;
    let open = table.lines().filter_map(parse);
    Ok(open.filter(|open| targets.contains_key(&open.remote) && !ours.contains(&open.inode)).collect())
}

/// Inode numbers of this process's sockets.
fn own_sockets() -> Result<BTreeSet<u64>, LabError> {
    let open = fs::read_dir("/proc/self/fd").doing(|| "read /proc/self/fd".to_string())?;
    let inode = |entry: fs::DirEntry| {
        let link = fs::read_link(entry.path()).ok()?;
        link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    Ok(open.flatten().filter_map(inode).collect())
}

/// An open connection of a line of the table.
fn parse(line: &str) -> Option<Open> {
    let mut words = line.split_whitespace().skip(1);
    let (local, remote, state) = (words.next()?, words.next()?, words.next()?);
    // Queues, timer, retransmissions, user, timeout: the inode follows.
    let inode = words.nth(5)?.parse().ok()?;
    (state == ESTABLISHED).then_some(Open { local: address(local)?, remote: address(remote)?, inode })
}

/// An address as the table writes it: the four bytes as one number of this machine's byte order, and the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let host = host.strip_prefix(MAPPED).unwrap_or(host);
    let host = u32::from_str_radix(host, 16).ok()?;
    Some((Ipv4Addr::from(host.to_ne_bytes()), u16::from_str_radix(port, 16).ok()?).into())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn lines_of_the_table_are_read() {
        let line = "   0: 0100007F:A2B4 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 24242 1";
        let open = parse(line).unwrap();
        assert_eq!(open.inode, 24_242);
        if cfg!(target_endian = "little") {
            assert_eq!(open.local, "127.0.0.1:41652".parse().unwrap());
            assert_eq!(open.remote, "127.0.0.1:8080".parse().unwrap());
            let mapped = line.replace("0100007F", "0000000000000000FFFF00000100007F");
            assert_eq!(parse(&mapped), Some(open));
        }
        assert_eq!(parse(&line.replace(" 01 ", " 0A ")), None, "listens");
        for broken in ["", "0:", "0: x y z", "0: 0100007F:A2B4 0100007F:1F90 01 0 0 0 0 0 x"] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn own_connections_are_no_bypass() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let target = listener.local_addr().unwrap();
        let _open = TcpStream::connect(target).unwrap();
        let targets = BTreeMap::from([(target, "gcp-11:8080".to_string())]);
        assert_eq!(find(&targets).unwrap(), Vec::<String>::new());
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let seen = table.lines().filter_map(parse).filter(|open| open.remote == target).count();
        assert_eq!(seen, 1, "the table shows it");
    }
}
