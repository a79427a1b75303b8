//! Ports of this host, and the way to every node: reachable, who answers, and the largest packet.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, UdpSocket};
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
        (Some(own), _) => ports(own, tls, &mut group).await,
        (None, Some(worker)) => port(worker.http_port, "http", "the worker", None, &mut group),
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

/// The ports that a node listens on are free, or it is the node itself that has them.
async fn ports(own: &Node, tls: Option<&ClientTls>, group: &mut Group<'_>) {
    let runs = match tls {
        Some(tls) => connect(own, &own.grpc_address(), tls).await.is_ok(),
        None => false,
    };
    for (port_number, what) in [(own.raft_port, "raft"), (own.grpc_port, "grpc"), (own.http_port, "http")] {
        port(port_number, what, "the node", Some(runs), group);
    }
}

fn port(port: u16, what: &str, owner: &str, runs: Option<bool>, group: &mut Group<'_>) {
    let bound = TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], port)));
    match bound.map_err(|error| error.kind()) {
        Ok(_) => group.ok(format!("port {port} ({what}) is free")),
        Err(ErrorKind::AddrInUse) if runs == Some(true) => {
            group.ok(format!("port {port} ({what}) is in use, and {owner} runs"));
        }
        Err(ErrorKind::AddrInUse) => group.warning(
            format!("port {port} ({what}) is in use"),
            format!("fine when {owner} runs already; else find who has it: ss -ltnp 'sport = :{port}'"),
        ),
        Err(kind) => group.failed(
            format!("port {port} ({what}) cannot be listened on: {kind}"),
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
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(address)?;
    Ok(getsockopt(&socket, sockopt::IpMtu)?)
}
