//! Plain lists: peers, and lines for /etc/hosts.

use std::fmt::Write as _;

use super::{Source, header, hosts, literal};

/// Below the output folder.
pub(super) const PEERS: &str = "rendered/peers";
/// Below the output folder.
pub(super) const HOSTS: &str = "rendered/hosts";

/// `name=host:port` of each node's Raft transport, by id.
pub(super) fn peers(source: &Source<'_>) -> String {
    let mut text = header(source);
    for node in &source.config.nodes {
        // Writing to a String cannot fail.
        let _written = writeln!(text, "{}={}", node.name, node.raft_address());
    }
    text
}

/// Lines for /etc/hosts: nodes, workers, the object store.
pub(super) fn hosts_file(source: &Source<'_>) -> Result<String, Vec<String>> {
    let mut text = header(source);
    let mut problems = Vec::new();
    for host in hosts(source.config) {
        if let Some(address) = literal(host, &mut problems) {
            let _written = writeln!(text, "{address} {}", host.name);
        }
    }
    if problems.is_empty() { Ok(text) } else { Err(problems) }
}
