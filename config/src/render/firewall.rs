//! Who may open which port of each node: one rule for each peer, as a /32. Nodes speak Raft to each other; workers,
//! clients and the commands on a node speak gRPC. Nobody opens a port of a worker. An operator's own address is not in
//! the configuration and so not in the list: allow gRPC (and HTTP for metrics) from it by hand. The addresses are those
//! of the file: the public ones of clouds are known to Terraform only, whose modules make the same rules of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use serde::Serialize;

use super::{Host, Source, header, json, literal};
use crate::types::{Config, Node};

/// Below the output folder.
const JSON: &str = "rendered/firewall.json";
/// Below the output folder.
const TABLE: &str = "rendered/firewall.txt";

#[derive(Serialize)]
struct File<'a> {
    generated_by: &'static str,
    toml_sha256: &'a str,
    nodes: BTreeMap<&'a str, Vec<Rule<'a>>>,
}

#[derive(Serialize)]
struct Rule<'a> {
    from: &'a str,
    source: String,
    port: u16,
    protocol: &'static str,
    why: &'static str,
}

/// Both files, or what they miss.
pub(super) fn render(source: &Source<'_>) -> Result<Vec<(&'static str, String)>, Vec<String>> {
    let rules = rules(source.config)?;
    let table = table(source, &rules);
    let file = File {
        generated_by: "farquorum render; do not edit",
        toml_sha256: source.sha256,
        nodes: rules.into_iter().map(|(node, rules)| (node.name.as_str(), rules)).collect(),
    };
    Ok(vec![(JSON, json(&file)?), (TABLE, table)])
}

fn rules(config: &Config) -> Result<Vec<(&Node, Vec<Rule<'_>>)>, Vec<String>> {
    let mut problems = Vec::new();
    let mut nodes: Vec<(&Node, Ipv4Addr)> = Vec::new();
    for node in &config.nodes {
        let host = Host { table: "nodes", name: &node.name, address: &node.address };
        nodes.extend(literal(host, &mut problems).map(|address| (node, address)));
    }
    let mut workers: Vec<(&str, Ipv4Addr)> = Vec::new();
    for worker in &config.workers {
        let host = Host { table: "workers", name: &worker.name, address: &worker.address };
        workers.extend(literal(host, &mut problems).map(|address| (worker.name.as_str(), address)));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let rule = |from, address: Ipv4Addr, port, why| Rule {
        from,
        source: format!("{address}/32"),
        port,
        protocol: "tcp",
        why,
    };
    let of = |node: &Node| {
        let peers = nodes.iter().filter(|(other, _)| other.id != node.id).flat_map(|&(other, address)| {
            [
                rule(other.name.as_str(), address, node.raft_port, "Raft between members"),
                rule(
                    other.name.as_str(),
                    address,
                    node.grpc_port,
                    "commands on a node, which follow the leader",
                ),
            ]
        });
        let sessions = workers.iter().map(|&(name, address)| {
            rule(name, address, node.grpc_port, "session of a worker with the leader")
        });
        peers.chain(sessions).collect()
    };
    Ok(nodes.iter().map(|(node, _)| (*node, of(node))).collect())
}

fn table(source: &Source<'_>, nodes: &[(&Node, Vec<Rule<'_>>)]) -> String {
    let mut rows = vec![["TO", "FROM", "SOURCE", "PORT", "PROTOCOL", "WHY"].map(str::to_owned)];
    for (node, rules) in nodes {
        rows.extend(rules.iter().map(|rule| {
            let port = rule.port.to_string();
            [&node.name, rule.from, &rule.source, &port, rule.protocol, rule.why].map(str::to_owned)
        }));
    }
    let mut text = header(source);
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
            // Writing to a String cannot fail.
            let _written = write!(line, "{cell:width$}  ");
        }
        let _written = writeln!(text, "{}", line.trim_end());
    }
    text
}
