//! Clouds and the hosts in them: nodes, workers, the object store. Names, addresses and ports must not meet.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::{Derived, known_cloud};
use crate::finding::Report;
use crate::keys::parse_network;
use crate::raw::Raw;
use crate::text::quoted;
use crate::types::{Cloud, Ipv4Net, Node, NodeId, Ports, Provider, Storage, Worker};

/// All clouds; their networks must not overlap.
pub(super) fn clouds(raw: &Raw, report: &mut Report) -> BTreeMap<String, Cloud> {
    let mut clouds: BTreeMap<String, Cloud> = BTreeMap::new();
    if raw.clouds.is_empty() && !report.has_error("clouds") {
        report.error("clouds", None, "missing; at least one cloud is needed, as [clouds.aws]");
    }
    for (label, cloud) in &raw.clouds {
        let Some(network) = cloud.network.as_deref().and_then(parse_network) else { continue };
        let overlaps = |other: &Ipv4Net| other.contains(network.base) || network.contains(other.base);
        if let Some((other, there)) = clouds.iter().find(|(_, cloud)| overlaps(&cloud.network)) {
            let message =
                format!("overlaps {} of cloud {other}; each cloud needs a network of its own", there.network);
            report.error(&format!("clouds.{label}.network"), Some(quoted(&network.to_string())), message);
            continue;
        }
        let region = cloud.region.clone().unwrap_or_default();
        let provider = Provider::of(cloud.provider.as_deref().unwrap_or(label));
        clouds.insert(label.clone(), Cloud { network, region, provider });
    }
    clouds
}

/// The control plane, ordered by id.
pub(super) fn nodes(raw: &Raw, ports: &Ports, report: &mut Report, derived: &mut Derived) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
    for (index, node) in raw.nodes.iter().enumerate() {
        let path = format!("nodes[{index}]");
        place(raw, node.cloud.as_deref(), node.address.as_deref(), &path, report);
        if let Some(id) = node.id
            && let Some(earlier) = seen.insert(id, index)
        {
            let there = report.origins.of(&format!("nodes[{earlier}].id"));
            report.error(
                &format!("{path}.id"),
                Some(id.to_string()),
                format!("is taken already ({there}); ids are unique"),
            );
        }
        let mut port =
            |set, key: &str, from: &str, default| derived.or(set, &format!("{path}.{key}"), default, from);
        nodes.push(Node {
            id: NodeId(node.id.unwrap_or_default()),
            name: node.name.clone().unwrap_or_default(),
            cloud: node.cloud.clone().unwrap_or_default(),
            address: node.address.clone().unwrap_or_default(),
            raft_port: port(node.raft_port, "raft_port", "ports.raft", ports.raft),
            grpc_port: port(node.grpc_port, "grpc_port", "ports.grpc", ports.grpc),
            http_port: port(node.http_port, "http_port", "ports.http", ports.http),
            voter: node.voter.unwrap_or(true),
        });
    }
    nodes
}

/// The workers, ordered as in the file.
pub(super) fn workers(raw: &Raw, ports: &Ports, report: &mut Report, derived: &mut Derived) -> Vec<Worker> {
    let mut workers = Vec::new();
    for (index, worker) in raw.workers.iter().enumerate() {
        let path = format!("workers[{index}]");
        place(raw, worker.cloud.as_deref(), worker.address.as_deref(), &path, report);
        workers.push(Worker {
            name: worker.name.clone().unwrap_or_default(),
            cloud: worker.cloud.clone().unwrap_or_default(),
            address: worker.address.clone().unwrap_or_default(),
            http_port: derived.or(worker.http_port, &format!("{path}.http_port"), ports.http, "ports.http"),
            capacity: worker.capacity.unwrap_or_default(),
            orchestrators: worker.orchestrators.clone().unwrap_or_default(),
        });
    }
    workers
}

/// A host's cloud exists, and its address, when it is one and no name, is a host address of the cloud's network.
pub(super) fn place(raw: &Raw, cloud: Option<&str>, address: Option<&str>, path: &str, report: &mut Report) {
    if !known_cloud(raw, cloud, &format!("{path}.cloud"), report) {
        return;
    }
    let network = cloud
        .and_then(|label| raw.clouds.get(label))
        .and_then(|cloud| parse_network(cloud.network.as_deref()?));
    let literal = address.and_then(|address| address.parse::<Ipv4Addr>().ok());
    let (Some(label), Some(network), Some(address)) = (cloud, network, literal) else { return };
    let host = u32::from(address).wrapping_sub(u32::from(network.base));
    let last = u32::MAX >> network.len;
    if !network.contains(address) || host == 0 || host == last {
        let message = format!(
            "must be a host address inside {network}, the network of cloud {label}, or a host name; where public \
             addresses go: docs/nix.md"
        );
        report.error(&format!("{path}.address"), Some(quoted(&address.to_string())), message);
    }
}

/// Names and addresses are unique over all hosts, and the ports of a node differ.
pub(super) fn distinct(
    raw: &Raw,
    nodes: &[Node],
    workers: &[Worker],
    storage: &Storage,
    report: &mut Report,
) {
    let mut hosts: Vec<(String, &str, &str)> = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        hosts.push((format!("nodes[{index}]"), &node.name, &node.address));
    }
    for (index, worker) in workers.iter().enumerate() {
        hosts.push((format!("workers[{index}]"), &worker.name, &worker.address));
    }
    hosts.push(("storage".to_owned(), "", &storage.address));
    let mut names: BTreeMap<&str, String> = BTreeMap::new();
    let mut addresses: BTreeMap<String, String> = BTreeMap::new();
    for (path, name, address) in hosts {
        if !name.is_empty()
            && let Some(earlier) = names.insert(name, format!("{path}.name"))
        {
            let there = report.origins.of(&earlier);
            let message = format!("is taken already ({there}); names are unique among nodes and workers");
            report.error(&format!("{path}.name"), Some(quoted(name)), message);
        }
        if !address.is_empty()
            && let Some(earlier) = addresses.insert(address.to_lowercase(), format!("{path}.address"))
        {
            let there = report.origins.of(&earlier);
            let message =
                format!("is taken already ({there}); each node, worker and store is a host of its own");
            report.error(&format!("{path}.address"), Some(quoted(address)), message);
        }
    }
    distinct_ports(raw, nodes, report);
}

fn distinct_ports(raw: &Raw, nodes: &[Node], report: &mut Report) {
    for (index, (node, set)) in nodes.iter().zip(&raw.nodes).enumerate() {
        let ports = [
            ("raft_port", node.raft_port, set.raft_port.is_some(), "ports.raft"),
            ("grpc_port", node.grpc_port, set.grpc_port.is_some(), "ports.grpc"),
            ("http_port", node.http_port, set.http_port.is_some(), "ports.http"),
        ];
        for (at, (key, port, own, shared)) in ports.iter().enumerate() {
            let earlier = ports.iter().take(at).find(|(_, other, ..)| other == port);
            let Some((other, _, other_own, _)) = earlier else { continue };
            // The node's own setting is the likelier mistake; a clash of the shared ports is one mistake, not one for
            // each node.
            let (path, taken) = match (own, other_own) {
                (true, _) => (format!("nodes[{index}].{key}"), other),
                (false, true) => (format!("nodes[{index}].{other}"), key),
                (false, false) => ((*shared).to_owned(), other),
            };
            if *port != 0 && !report.has_error_at(&path) {
                let message =
                    format!("is also the {taken} of node {}; the ports of a host must differ", node.name);
                report.error(&path, Some(port.to_string()), message);
            }
        }
    }
}
