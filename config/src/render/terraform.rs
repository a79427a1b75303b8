//! The variable `farquorum` of the Terraform root modules, as `farquorum.auto.tfvars.json`. Its shape is a contract
//! with `terraform/`: fields are added there and here in the same commit. JSON takes no comments, and Terraform warns of
//! variables that it does not know, so the digest is a field and nothing else stands beside the object. What the root
//! modules would refuse is refused here, before a file is written.

use std::collections::BTreeMap;

use serde::Serialize;

use super::storage::{Store, store};
use super::{Host, Source, json, literal};
use crate::types::{Config, Provider};

/// Below the output folder.
pub(super) const PATH: &str = "terraform/farquorum.auto.tfvars.json";

/// Longest name of a cluster: Azure's and Google's limits, less what the modules put around it.
const CLUSTER_MAX: usize = 23;
/// Longest name of a machine, by the same reason.
const NAME_MAX: usize = 40;
/// Lowest port that a service without rights may bind.
const PORT_MIN: u16 = 1024;

#[derive(Serialize)]
struct File<'a> {
    farquorum: Variable<'a>,
}

#[derive(Serialize)]
struct Variable<'a> {
    toml_sha256: &'a str,
    toml_path: &'a str,
    cluster: &'a str,
    clouds: BTreeMap<&'a str, Cloud<'a>>,
    nodes: BTreeMap<&'a str, Node<'a>>,
    workers: BTreeMap<&'a str, Workers<'a>>,
    ports: Ports,
    storage: Store<'a>,
}

#[derive(Serialize)]
struct Cloud<'a> {
    provider: Provider,
    region: &'a str,
    network: String,
}

#[derive(Serialize)]
struct Node<'a> {
    id: u64,
    cloud: &'a str,
    region: &'a str,
    private_ip: String,
    voter: bool,
}

#[derive(Default, Serialize)]
struct Workers<'a> {
    count: usize,
    names: Vec<&'a str>,
    private_ips: Vec<String>,
}

#[derive(Serialize)]
struct Ports {
    raft: u16,
    api: u16,
    http: u16,
}

/// The file, or what it misses.
pub(super) fn render(source: &Source<'_>) -> Result<String, Vec<String>> {
    let config = source.config;
    let mut problems = Vec::new();
    names(config, &mut problems);
    ports(config, &mut problems);
    let clouds = clouds(config, &mut problems);
    let nodes = nodes(config, &mut problems);
    let workers = workers(config, &mut problems);
    let storage = store(config, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let ports = Ports { raft: config.ports.raft, api: config.ports.grpc, http: config.ports.http };
    json(&File {
        farquorum: Variable {
            toml_sha256: source.sha256,
            toml_path: source.file,
            cluster: &config.cluster.name,
            clouds,
            nodes,
            workers,
            ports,
            storage,
        },
    })
}

/// Google's rule, the strictest: what is made in a cloud is called after these.
fn names(config: &Config, problems: &mut Vec<String>) {
    let nodes = config.nodes.iter().map(|node| ("[nodes] name", node.name.as_str(), NAME_MAX));
    let workers = config.workers.iter().map(|worker| ("[workers] name", worker.name.as_str(), NAME_MAX));
    let cluster = std::iter::once(("cluster.name", config.cluster.name.as_str(), CLUSTER_MAX));
    for (key, name, max) in cluster.chain(nodes).chain(workers) {
        if name.len() > max || !name.starts_with(|first: char| first.is_ascii_lowercase()) {
            problems.push(format!(
                "{key} = \"{name}\" is part of names in the clouds: at most {max} characters, a letter first"
            ));
        }
    }
}

/// Security groups open the same ports on every node, and the service there is not root.
fn ports(config: &Config, problems: &mut Vec<String>) {
    let common = &config.ports;
    let of_all = [("ports.raft", common.raft), ("ports.grpc", common.grpc), ("ports.http", common.http)];
    for (at, (key, port)) in of_all.into_iter().enumerate() {
        if port < PORT_MIN {
            problems.push(format!("{key} = {port} needs root; write one from {PORT_MIN} to 65535"));
        }
        if let Some((same, _)) = of_all.into_iter().take(at).find(|(_, other)| *other == port) {
            problems.push(format!("{key} = {port} is {same} too; write three different ports"));
        }
    }
    for node in &config.nodes {
        for (key, own, (of, port)) in [
            ("raft_port", node.raft_port, of_all[0]),
            ("grpc_port", node.grpc_port, of_all[1]),
            ("http_port", node.http_port, of_all[2]),
        ] {
            if own != port {
                problems.push(format!(
                    "[nodes] {}: {key} = {own} is not {of} = {port}; security groups open the same ports on every \
                     node: leave {key} out and set {of}",
                    node.name
                ));
            }
        }
    }
}

fn clouds<'a>(config: &'a Config, problems: &mut Vec<String>) -> BTreeMap<&'a str, Cloud<'a>> {
    let mut clouds: BTreeMap<&str, Cloud<'_>> = BTreeMap::new();
    for (label, cloud) in &config.clouds {
        if cloud.region.is_empty() {
            problems
                .push(format!("clouds.{label}.region is not set; write the region where its machines are"));
        }
        let Some(provider) = cloud.provider else {
            problems.push(format!(
                "clouds.{label}.provider is not set, and the label is no provider's name; write provider = \
                 \"aws\", \"gcp\" or \"azure\" in [clouds.{label}]"
            ));
            continue;
        };
        if let Some((other, _)) = clouds.iter().find(|(_, cloud)| cloud.provider == provider) {
            problems.push(format!(
                "clouds.{label} and clouds.{other} have the same provider; the roots have one provider \
                 configuration, so one region, for each: merge the clouds, or write a root of your own"
            ));
        }
        clouds.insert(
            label.as_str(),
            Cloud { provider, region: &cloud.region, network: cloud.network.to_string() },
        );
    }
    clouds
}

fn nodes<'a>(config: &'a Config, problems: &mut Vec<String>) -> BTreeMap<&'a str, Node<'a>> {
    let mut nodes = BTreeMap::new();
    for node in &config.nodes {
        let host = Host { table: "nodes", name: &node.name, address: &node.address };
        let Some(address) = literal(host, problems) else { continue };
        let region = config.clouds.get(&node.cloud).map(|cloud| cloud.region.as_str()).unwrap_or_default();
        nodes.insert(
            node.name.as_str(),
            Node {
                id: node.id.0,
                cloud: &node.cloud,
                region,
                private_ip: address.to_string(),
                voter: node.voter,
            },
        );
    }
    nodes
}

/// The pools that have workers.
fn workers<'a>(config: &'a Config, problems: &mut Vec<String>) -> BTreeMap<&'a str, Workers<'a>> {
    let mut pools: BTreeMap<&str, Workers<'_>> = BTreeMap::new();
    for worker in &config.workers {
        let host = Host { table: "workers", name: &worker.name, address: &worker.address };
        let Some(address) = literal(host, problems) else { continue };
        let pool = pools.entry(worker.cloud.as_str()).or_default();
        pool.count += 1;
        pool.names.push(&worker.name);
        pool.private_ips.push(address.to_string());
    }
    pools
}
