//! Environment variables. `FARQUORUM_RAFT__HEARTBEAT_MS` sets `raft.heartbeat_ms` (two underscores stand for the dot);
//! six variables keep the names that containers have always used. An empty variable counts as not set, because compose
//! files pass unset ones as empty. A prefixed variable beats a named one.

use figment::value::Value;

use crate::finding::{Origin, Report};
use crate::keys::{self, Shape};
use crate::layers::Layers;
use crate::links::set_rtt;
use crate::names;
use crate::{overrides, text};

/// Prefix of variables that are keys.
const PREFIX: &str = "FARQUORUM_";

/// Variables of the command line under the same prefix; they are no keys of the file.
const NOT_KEYS: &[&str] = &["CONTEXT", "LOG", "CONFIG", "CACHE", "DATA_DIR", "STATE_DIR"];

/// Variables that set one key.
const PLAIN: &[(&str, &str)] =
    &[("RAFT_HEARTBEAT_MS", "raft.heartbeat_ms"), ("RAFT_ELECTION_TIMEOUT_MS", "raft.election_timeout_ms")];

/// Variables that set the RTT between two clouds.
pub(crate) const RTT: &[(&str, &str, &str)] =
    &[("CROSS_CLOUD_LATENCY_MS", "aws", "gcp"), ("AZURE_LATENCY_MS", "aws", "azure")];

/// The process environment.
#[derive(Debug)]
pub struct Environment;

impl Environment {
    /// All variables of this process that are UTF-8. The only place in the product that reads them for the
    /// configuration.
    pub fn process() -> Vec<(String, String)> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }
}

/// Names of the variables that set a key; none for a key inside a list that only the file can set.
pub(crate) fn variables_of(key: &str) -> Vec<String> {
    let in_list: &[(&str, &[&str])] = &[
        ("links[].rtt_ms", &["CROSS_CLOUD_LATENCY_MS (aws-gcp)", "AZURE_LATENCY_MS (aws-azure)"]),
        ("nodes[].raft_port", &["RAFT_PEERS"]),
        ("workers[].orchestrators", &["ORCHESTRATOR_ADDR"]),
    ];
    if key.contains("[]") {
        let named = in_list.iter().find(|(known, _)| *known == key).map(|(_, names)| *names);
        return named.unwrap_or_default().iter().map(|name| (*name).to_owned()).collect();
    }
    let plain = PLAIN.iter().filter(|(_, known)| *known == key).map(|(name, _)| (*name).to_owned());
    std::iter::once(prefixed(key)).chain(plain).collect()
}

/// Name of the prefixed variable of a key.
fn prefixed(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"))
}

/// Applies the variables that mean something here; others are left alone.
pub(crate) fn apply(variables: &[(String, String)], layers: &mut Layers, report: &mut Report) {
    let set: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.trim()))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    for (name, value) in &set {
        apply_named(name, value, layers, report);
    }
    for (name, value) in &set {
        if let Some(rest) = name.strip_prefix(PREFIX).filter(|rest| !NOT_KEYS.contains(rest)) {
            apply_prefixed(name, rest, value, layers, report);
        }
    }
}

fn apply_prefixed(name: &str, rest: &str, value: &str, layers: &mut Layers, report: &mut Report) {
    let lower = rest.to_lowercase();
    let origin = Origin::Variable(name.to_owned());
    if lower.contains("__") {
        overrides::apply_one(&lower.replace("__", "."), value, origin, layers, report);
        return;
    }
    // One underscore too few is the usual slip, and silence would be the worst answer to it.
    if let Some(meant) = keys::keys().iter().find(|key| key.name.replace('.', "_") == lower) {
        let message = format!(
            "sets nothing; to set {}, write {} (two underscores for the dot)",
            meant.name,
            prefixed(meant.name)
        );
        report.error_at(origin, name, Some(text::quoted(value)), message);
    }
}

fn apply_named(name: &str, value: &str, layers: &mut Layers, report: &mut Report) {
    let origin = Origin::Variable(name.to_owned());
    if let Some((_, key)) = PLAIN.iter().find(|(known, _)| *known == name) {
        overrides::apply_one(key, value, origin, layers, report);
    } else if let Some((_, a, b)) = RTT.iter().find(|(known, ..)| *known == name) {
        apply_rtt((a, b), value, origin, layers, report);
    } else if name == "RAFT_PEERS" {
        apply_peers(value, &origin, layers, report);
    } else if name == "ORCHESTRATOR_ADDR" {
        apply_orchestrators(value, &origin, layers, report);
    }
}

fn apply_rtt(pair: (&str, &str), value: &str, origin: Origin, layers: &mut Layers, report: &mut Report) {
    let Shape::Key(key) = keys::shape("links[].rtt_ms") else { return };
    let name = format!("rtt_ms between {} and {}", pair.0, pair.1);
    let shown = Some(text::quoted(value));
    let clouds = layers.clouds();
    if let Some(missing) =
        [pair.0, pair.1].iter().find(|label| !clouds.iter().any(|(known, _)| known == *label))
    {
        let message =
            format!("the configuration has no cloud {missing}; unset the variable or add [clouds.{missing}]");
        report.error_at(origin, &name, shown, message);
        return;
    }
    let read = key.kind.read(value);
    if !key.kind.accepts(&read) {
        report.error_at(origin, &name, shown, format!("must be {}", key.kind.allowed()));
        return;
    }
    set_rtt(pair, read, origin, layers, report);
}

/// RAFT_PEERS: only the named nodes are members, with these Raft ports.
fn apply_peers(value: &str, origin: &Origin, layers: &mut Layers, report: &mut Report) {
    let nodes = layers.list("nodes");
    let names: Vec<Option<String>> =
        nodes.iter().map(|node| node.clone().find("name").and_then(Value::into_string)).collect();
    let mut kept: Vec<(usize, i64)> = Vec::new();
    for peer in value.split(',').map(str::trim) {
        let mut refuse =
            |message: String| report.error_at(origin.clone(), "nodes", Some(text::quoted(peer)), message);
        let Some((name, port)) = keys::parse_host_port(peer) else {
            refuse("must be NAME:PORT[,NAME:PORT...] with ports from 1 to 65535".to_owned());
            continue;
        };
        let Some(index) = names.iter().position(|known| known.as_deref() == Some(name)) else {
            let all: Vec<&str> = names.iter().flatten().map(String::as_str).collect();
            refuse(format!("no node {name} in the file, which gives the ids; {}", names::known(name, &all)));
            continue;
        };
        if kept.iter().any(|(other, _)| *other == index) {
            refuse(format!("names {name} twice"));
            continue;
        }
        kept.push((index, i64::from(port)));
    }
    let mut members = Vec::new();
    for (index, port) in &kept {
        if let Some(Value::Dict(tag, mut node)) = nodes.get(*index).cloned() {
            node.insert("raft_port".to_owned(), (*port).into());
            members.push(Value::Dict(tag, node));
        }
    }
    let indices: Vec<usize> = kept.iter().map(|(index, _)| *index).collect();
    layers.replace_list("nodes", members);
    report.origins.keep_elements("nodes", &indices);
    for index in 0..kept.len() {
        report.origins.set(format!("nodes[{index}].raft_port"), origin.clone());
    }
}

/// ORCHESTRATOR_ADDR: the nodes that every worker asks first.
fn apply_orchestrators(value: &str, origin: &Origin, layers: &mut Layers, report: &mut Report) {
    let addresses: Vec<&str> = value.split(',').map(str::trim).collect();
    if let Some(bad) = addresses.iter().find(|address| !keys::Form::HostPort.accepts(address)) {
        let message =
            format!("must be a list HOST:PORT[,HOST:PORT...], each {}", keys::Form::HostPort.allowed());
        report.error_at(origin.clone(), "workers.orchestrators", Some(text::quoted(bad)), message);
        return;
    }
    let list: Vec<Value> = addresses.into_iter().map(Value::from).collect();
    let mut workers = layers.list("workers");
    for (index, worker) in workers.iter_mut().enumerate() {
        if let Value::Dict(_, worker) = worker {
            worker.insert("orchestrators".to_owned(), list.clone().into());
            report.origins.set(format!("workers[{index}].orchestrators"), origin.clone());
        }
    }
    layers.replace_list("workers", workers);
}
