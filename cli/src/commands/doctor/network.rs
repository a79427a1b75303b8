//! Ports of this host, and the way to every node: reachable, who answers, and the largest packet.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use farquorum_config::{Config, Node};
use farquorum_tls::{ClientTls, ConnectError};
use nix::sys::socket::{getsockopt, sockopt};
use tonic::transport::Uri;

use super::report::{Check, Group};

/// Longest time of one connection.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// Smallest packet that every IPv6 link carries; below it something is wrong.
const MTU_MIN: i32 = 1280;

/// Looks, with the host's own certificate when that is usable.
pub(super) async fn look(config: &Config, name: &str, tls: Option<&ClientTls>, checks: &mut Vec<Check>) {
    let mut group = Group::new("network", checks);
    match (config.node(name), config.worker(name)) {
        (Some(own), _) => ports(config, own, tls, &mut group).await,
        (None, Some(worker)) => {
            let any = IpAddr::from(Ipv4Addr::UNSPECIFIED);
            port(
                &Port { number: worker.http_port, what: "http", owner: "the worker" },
                any,
                None,
                &mut group,
            );
        }
        (None, None) => {}
    }
    let peer = config.node(name).is_some();
    for node in config.nodes.iter().filter(|node| node.name != name) {
        if peer {
            reach(node, "raft", &node.raft_address(), tls, &mut group).await;
        }
        reach(node, "grpc", &node.grpc_address(), tls, &mut group).await;
        packet(node, &mut group);
    }
}

/// The ports that a node listens on, at its own address, are free, or it is the node itself that has them.
async fn ports(config: &Config, own: &Node, tls: Option<&ClientTls>, group: &mut Group<'_>) {
    let runs = match tls {
        Some(tls) => connect(own, &own.grpc_address(), tls).await.is_ok(),
        None => false,
    };
    for (number, what) in [(own.raft_port, "raft"), (own.grpc_port, "grpc"), (own.http_port, "http")] {
        let known = format!("{}:{number}", own.address);
        let at = config.detours.of(&known).unwrap_or(&known).to_socket_addrs();
        let Some(at) = at.ok().and_then(|mut found| found.next()) else {
            group.failed(
                format!("the address {known} ({what}) of this host is not known here"),
                "its name in DNS or /etc/hosts, or another address in the configuration",
            );
            continue;
        };
        port(&Port { number: at.port(), what, owner: "the node" }, at.ip(), Some(runs), group);
    }
}

/// A port of this host.
struct Port {
    number: u16,
    what: &'static str,
    /// Who listens there when it runs.
    owner: &'static str,
}

fn port(port: &Port, ip: IpAddr, runs: Option<bool>, group: &mut Group<'_>) {
    let Port { number, what, owner } = port;
    match TcpListener::bind(SocketAddr::from((ip, *number))).map_err(|error| error.kind()) {
        Ok(_) => group.ok(format!("port {number} ({what}) is free")),
        Err(ErrorKind::AddrInUse) if runs == Some(true) => {
            group.ok(format!("port {number} ({what}) is in use, and {owner} runs"));
        }
        Err(ErrorKind::AddrInUse) => group.warning(
            format!("port {number} ({what}) is in use at {ip}"),
            format!("fine when {owner} runs already; else find who has it: ss -ltnp 'sport = :{number}'"),
        ),
        Err(ErrorKind::AddrNotAvailable) => group.warning(
            format!("port {number} ({what}): no interface of this host has the address {ip}"),
            "fine behind a translated address: --listen then names the node's own; else another address in the \
             configuration",
        ),
        Err(kind) => group.failed(
            format!("port {number} ({what}) cannot be listened on: {kind}"),
            "a port of 1024 or more, or CAP_NET_BIND_SERVICE",
        ),
    }
}

async fn reach(node: &Node, what: &str, address: &str, tls: Option<&ClientTls>, group: &mut Group<'_>) {
    let Some(tls) = tls else {
        group.skipped(format!("{} at {address} ({what}): no certificate to call it with", node.name), None);
        return;
    };
    let begun = Instant::now();
    match connect(node, address, tls).await {
        Ok(()) => {
            let took = begun.elapsed();
            group.ok(format!("{} answers at {address} ({what}) as itself after {took:.1?}", node.name));
        }
        Err(error) => {
            let hint = hint(&error, what);
            group.failed(format!("{} ({what}): {error}", node.name), hint);
        }
    }
}

fn hint(error: &ConnectError, what: &str) -> &'static str {
    match error {
        ConnectError::Dial { source, .. } if source.kind() == ErrorKind::ConnectionRefused => {
            "the host is there, but nothing listens: start the node"
        }
        ConnectError::Dial { .. } | ConnectError::Timeout { .. } if what == "raft" => {
            "the address, the route, and firewalls on the way: every node's raft port is open to its peers' /32"
        }
        ConnectError::Dial { .. } | ConnectError::Timeout { .. } => {
            "the address, the route, and firewalls on the way: the grpc port is open to nodes, workers and operators"
        }
        ConnectError::Handshake { .. } => {
            "both certificates must come from the same authorities and hold now: farquorum certs show FILE, and the clocks"
        }
        _ => "the name and address of the node in the configuration",
    }
}

async fn connect(node: &Node, address: &str, tls: &ClientTls) -> Result<(), ConnectError> {
    let uri: Uri = format!("http://{address}").parse().unwrap_or_default();
    tls.to_node(&node.name).timeout(CONNECT_MAX).confirmed().connect(uri).await.map(|_| ())
}

/// The largest packet that the route to a node carries, as the kernel knows it; nothing is sent.
fn packet(node: &Node, group: &mut Group<'_>) {
    let Ok(mtu) = route_mtu(&node.raft_address()) else {
        group.skipped(format!("{}: no route, so no packet size", node.name), None);
        return;
    };
    let found = format!("packets to {} may have {mtu} bytes", node.name);
    if mtu < MTU_MIN {
        group.warning(
            found,
            "raise the MTU of the interface or tunnel; ICMP \"too big\" must not be filtered on the way",
        );
    } else {
        group.ok(found);
    }
}

fn route_mtu(address: &str) -> std::io::Result<i32> {
    let unknown = || std::io::Error::new(ErrorKind::NotFound, "the name has no address");
    let to = address.to_socket_addrs()?.next().ok_or_else(unknown)?;
    let any = match to {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(to)?;
    match to {
        SocketAddr::V4(_) => Ok(getsockopt(&socket, sockopt::IpMtu)?),
        SocketAddr::V6(_) => Ok(ipv6_mtu(&socket)?),
    }
}

/// As [`sockopt::IpMtu`], for IPv6 (ipv6(7)).
fn ipv6_mtu(socket: &UdpSocket) -> nix::Result<i32> {
    let mut mtu: libc::c_int = 0;
    let mut length = libc::socklen_t::try_from(size_of::<libc::c_int>()).unwrap_or_default();
    // SAFETY: the kernel writes at most `length` bytes to `mtu`, which has as many.
    let got = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IPV6,
            libc::IPV6_MTU,
            (&raw mut mtu).cast(),
            &raw mut length,
        )
    };
    nix::errno::Errno::result(got).map(|_| mtu)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::report::State;

    #[test]
    fn a_port_is_looked_at_where_the_node_listens() {
        let [one, other, foreign] = ["127.0.0.1", "127.0.0.2", "192.0.2.1"].map(|ip| ip.parse().unwrap());
        let taken = TcpListener::bind((one, 0)).unwrap();
        let port = Port { number: taken.local_addr().unwrap().port(), what: "raft", owner: "the node" };
        for (ip, state) in [(one, State::Warning), (other, State::Ok), (foreign, State::Warning)] {
            let mut checks = Vec::new();
            super::port(&port, ip, Some(false), &mut Group::new("network", &mut checks));
            let check = checks.pop().unwrap();
            assert_eq!(check.state, state, "{ip}: {}", check.found);
            assert_eq!(check.found.contains("is in use"), ip == one, "{}", check.found);
        }
    }

    #[test]
    fn the_size_of_packets_is_known_for_both_kinds_of_address() {
        let least = |address: &str| route_mtu(address).unwrap() >= MTU_MIN;
        assert!(least("127.0.0.1:7379"));
        if UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
            assert!(least("[::1]:7379"));
        }
    }
}
