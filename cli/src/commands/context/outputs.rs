//! What `terraform output -json` says of a cluster. Pure: text in, checked values or one message out. Outputs and fields
//! that are not needed are left alone, so that a root may have more of them.

use std::collections::BTreeMap;

use farquorum_client::ContextNode;
use farquorum_storage::is_bucket;
use serde::Deserialize;
use serde_json::{Map, Value};

const STORAGE: &str = "farquorum_storage";

/// The outputs `farquorum_cluster`, `farquorum_nodes` and `farquorum_storage`.
#[derive(Debug)]
pub(super) struct Outputs {
    /// Name of the cluster.
    pub(super) cluster: String,
    /// SHA-256 of the farquorum.toml that it was built from.
    pub(super) toml_sha256: String,
    /// By name, at least one.
    pub(super) nodes: BTreeMap<String, Node>,
    /// The bucket for jobs, when Terraform made it.
    pub(super) storage: Option<Storage>,
}

/// The value of `farquorum_storage`.
#[derive(Debug, Deserialize)]
pub(super) struct Storage {
    /// Such as `s3://BUCKET`.
    pub(super) url: String,
    /// Region of a bucket of Amazon's.
    pub(super) region: Option<String>,
    /// Storage account of a container of Azure's.
    pub(super) account: Option<String>,
}

/// A value of `farquorum_nodes`, as far as a client needs it.
#[derive(Debug, Deserialize)]
pub(super) struct Node {
    id: u64,
    cloud: String,
    api: String,
}

#[derive(Deserialize)]
struct Cluster {
    name: String,
    toml_sha256: String,
}

impl Outputs {
    /// Reads the whole document.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let outputs: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| format!("this is not what `terraform output -json` prints: {error}"))?;
        let cluster: Cluster = value(&outputs, "farquorum_cluster")?;
        let nodes: BTreeMap<String, Node> = value(&outputs, "farquorum_nodes")?;
        // Terraform leaves an output out whose value is null.
        let storage: Option<Storage> = match outputs.contains_key(STORAGE) {
            true => value(&outputs, STORAGE)?,
            false => None,
        };
        if cluster.name.is_empty() {
            return Err("farquorum_cluster.name is empty".to_owned());
        }
        if nodes.is_empty() {
            return Err("farquorum_nodes is empty; at least one node is needed".to_owned());
        }
        if let Some(storage) = storage.as_ref().filter(|storage| !is_bucket(&storage.url)) {
            return Err(format!(
                "{STORAGE}.url = {:?} must be s3://BUCKET, gs://BUCKET or az://CONTAINER",
                storage.url
            ));
        }
        for (name, node) in &nodes {
            if host_port(&node.api).is_none() {
                return Err(format!("farquorum_nodes.{name}.api = {:?} must be HOST:PORT", node.api));
            }
            if let Some((other, _)) = nodes.iter().find(|(other, it)| *other < name && it.id == node.id) {
                return Err(format!("farquorum_nodes.{name}.id = {} is that of {other} too", node.id));
            }
        }
        Ok(Self { cluster: cluster.name, toml_sha256: cluster.toml_sha256, nodes, storage })
    }

    /// As a context lists them, by id. `http_port` of each comes from the configuration: HTTP is where gRPC is.
    pub(super) fn context_nodes(&self, http_port: impl Fn(&str) -> u16) -> Vec<ContextNode> {
        let node = |(name, node): (&String, &Node)| ContextNode {
            id: node.id,
            name: name.clone(),
            cloud: node.cloud.clone(),
            grpc: node.api.clone(),
            http: format!("{}:{}", host_port(&node.api).map_or("", |(host, _)| host), http_port(name)),
        };
        let mut nodes: Vec<ContextNode> = self.nodes.iter().map(node).collect();
        nodes.sort_by_key(|node| node.id);
        nodes
    }
}

/// The value of one output.
fn value<T: for<'a> Deserialize<'a>>(outputs: &Map<String, Value>, name: &str) -> Result<T, String> {
    let Some(output) = outputs.get(name) else {
        let there: Vec<&str> = outputs.keys().map(String::as_str).collect();
        let there = if there.is_empty() {
            "there are none".into()
        } else {
            format!("there are: {}", there.join(", "))
        };
        // Terraform knows the addresses after the first of two applies, and the rest after the second.
        let partly = outputs.contains_key("farquorum_addresses") || outputs.contains_key("farquorum_nodes");
        let next = if partly { "; only a part was applied: terraform apply, then import again" } else { "" };
        return Err(format!("there is no output {name}; {there}{next}"));
    };
    let value = output.get("value").ok_or_else(|| format!("the output {name} has no \"value\""))?;
    T::deserialize(value).map_err(|error| format!("the output {name}: {error}"))
}

fn host_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    let plain = |char: char| char.is_ascii_alphanumeric() || "-.[]:".contains(char);
    (!host.is_empty() && host.chars().all(plain)).then_some((host, port))
}
