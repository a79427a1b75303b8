//! The environment of `netem/compose.yaml`. What can be tuned from outside stands commented out with the value that
//! holds now: compose then passes nothing, and the containers take the value from farquorum.toml, or from a variable
//! that is set where compose is called. Written out, a heartbeat that was derived from one RTT would stay when another
//! RTT is tried.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::{Source, header, hosts, literal};
use crate::types::{Config, Ipv4Net};

/// Below the output folder.
pub(super) const PATH: &str = "netem/.env";

/// Longest prefix with room for the three addresses that a network needs and some hosts.
const PREFIX_MAX: u8 = 28;

/// Processors and memory of each kind of container: bounds against a runaway, not figures of what they need. Set the
/// variable to try another.
const LIMITS: [(&str, &str, &str); 4] =
    [("NODE", "1.0", "512m"), ("WORKER", "1.0", "512m"), ("GATEWAY", "1.0", "256m"), ("MINIO", "1.0", "1g")];

/// The file, or what it misses.
pub(super) fn render(source: &Source<'_>) -> Result<String, Vec<String>> {
    let config = source.config;
    let mut problems = Vec::new();
    let mut out = Lines(header(source));
    out.comment("To try another value, set the variable where compose is called: it goes before this file.");
    out.set("FARQUORUM_TOML_SHA256", source.sha256);
    tunables(config, &mut out);
    out.section("Images.");
    out.set("FARQUORUM_IMAGE", "farquorum:local");
    out.set("MINIO_IMAGE", "minio/minio");
    out.section("Processors and memory.");
    for (kind, cpus, memory) in LIMITS {
        out.set(&format!("{kind}_CPUS"), cpus);
        out.set(&format!("{kind}_MEMORY"), memory);
    }
    networks(config, &mut out, &mut problems);
    out.section("Hosts and ports.");
    for host in hosts(config) {
        if let Some(address) = literal(host, &mut problems) {
            out.set(&format!("ADDRESS_{}", upper(host.name)), address);
        }
    }
    let ports = [("RAFT", config.ports.raft), ("GRPC", config.ports.grpc), ("HTTP", config.ports.http)];
    for (name, port) in ports.into_iter().chain([("S3", config.storage.port)]) {
        out.set(&format!("PORT_{name}"), port);
    }
    out.set("BUCKET", &config.storage.bucket);
    if problems.is_empty() { Ok(out.0) } else { Err(problems) }
}

fn tunables(config: &Config, out: &mut Lines) {
    out.section(
        "Time between heartbeats of the leader, ms. Not set: from farquorum.toml, or the largest RTT.",
    );
    out.offer("RAFT_HEARTBEAT_MS", config.raft.heartbeat.as_millis());
    out.comment("Least time without a leader before an election, ms. Not set: the same.");
    out.offer("RAFT_ELECTION_TIMEOUT_MS", config.raft.election_timeout.as_millis());
    for (name, a, b) in crate::environment::RTT {
        let one_way = |from, to| config.link(from, to).map(|shape| shape.delay_ms);
        match (one_way(a, b), one_way(b, a)) {
            (Some(there), Some(back)) => {
                out.comment(&format!("Round trip between {a} and {b}, ms: half of it each way."));
                out.offer(name, there + back);
            }
            _ => out.comment(&format!("{name}: there is no {a} or no {b} here, and setting it is refused.")),
        }
    }
}

/// Addresses of each cloud's network that are no host's: .1 the engine's, .2 the route to the others (which the gateway
/// takes last, when it shapes), and the highest, where the gateway itself is.
fn networks(config: &Config, out: &mut Lines, problems: &mut Vec<String>) {
    out.section("Networks: the engine's address, the way to other clouds, the gateway's own address.");
    for (label, cloud) in &config.clouds {
        let Some(own) = own_addresses(cloud.network) else {
            problems.push(format!(
                "clouds.{label}.network = \"{}\" is too small for a gateway; write a prefix of at most {PREFIX_MAX}",
                cloud.network
            ));
            continue;
        };
        let cloud_name = upper(label);
        out.set(&format!("SUBNET_{cloud_name}"), cloud.network);
        for (role, address) in ["BRIDGE", "ROUTER", "GATEWAY"].into_iter().zip(own) {
            out.set(&format!("{role}_{cloud_name}"), address);
            for taken in hosts(config).iter().filter(|host| host.address.parse::<Ipv4Addr>() == Ok(address)) {
                problems.push(format!(
                    "{taken} is the {} of network {}; move the host, .11 and above are usual",
                    role.to_lowercase(),
                    cloud.network
                ));
            }
        }
    }
}

fn own_addresses(network: Ipv4Net) -> Option<[Ipv4Addr; 3]> {
    if network.len > PREFIX_MAX {
        return None;
    }
    let base = u32::from(network.base);
    let broadcast = base | (u32::MAX >> network.len);
    Some([base + 1, base + 2, broadcast - 1].map(Ipv4Addr::from))
}

/// A label as part of a variable's name. Labels have no '_', so two of them stay two.
fn upper(label: &str) -> String {
    label.to_uppercase().replace('-', "_")
}

/// The text as it grows. Writing to a String cannot fail.
struct Lines(String);

impl Lines {
    fn section(&mut self, text: &str) {
        let _written = writeln!(self.0, "\n# {text}");
    }

    fn comment(&mut self, text: &str) {
        let _written = writeln!(self.0, "# {text}");
    }

    fn set(&mut self, name: &str, value: impl std::fmt::Display) {
        let _written = writeln!(self.0, "{name}={value}");
    }

    fn offer(&mut self, name: &str, value: impl std::fmt::Display) {
        let _written = writeln!(self.0, "#{name}={value}");
    }
}
