//! The validated configuration. A value of these types has passed every rule in [`crate::validate`]; nothing else
//! in the product reads the file or the environment.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detours::Detours;
use crate::host_command::HostCommand;
use crate::shape::LinkShape;

/// Raft id of a node: greater than zero, unique, never reused for another machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One deployment, checked.
#[derive(Clone, Debug, Serialize)]
pub struct Config {
    /// Name and identity of the cluster.
    pub cluster: Cluster,
    /// Failure domains by label, each with its own network.
    pub clouds: BTreeMap<String, Cloud>,
    /// Directed links between different clouds: every ordered pair is there.
    pub links: Vec<Link>,
    /// Link between two hosts of the same cloud.
    pub local_link: LinkShape,
    /// Control-plane members, ordered by id.
    pub nodes: Vec<Node>,
    /// Workers, ordered as in the file.
    pub workers: Vec<Worker>,
    /// The object store.
    pub storage: Storage,
    /// Consensus timing and log settings.
    pub raft: Raft,
    /// Leases, heartbeats and retention of the task manifest.
    pub tasks: Tasks,
    /// Bounds on sizes and queues.
    pub limits: Limits,
    /// Ports.
    pub ports: Ports,
    /// Settings of the local simulation.
    pub lab: Lab,
    /// How hosts are updated one after another.
    pub rollout: Rollout,
    /// Addresses that this process reaches elsewhere.
    pub detours: Detours,
}

/// Identity of the cluster.
#[derive(Clone, Debug, Serialize)]
pub struct Cluster {
    /// 1 to 63 of a-z, 0-9 and '-': names certificates (`spiffe://<name>/...`) and the cluster id in peer frames.
    pub name: String,
    /// Allows a single node: development only, nothing survives its loss.
    pub allow_single_node: bool,
}

/// A failure domain with its own network.
#[derive(Clone, Debug, Serialize)]
pub struct Cloud {
    /// Network of the cloud.
    pub network: Ipv4Net,
    /// Region, as its provider names it; free text.
    pub region: String,
    /// Who runs it: as the file says, else as the label says; none when neither does.
    pub provider: Option<Provider>,
}

/// A provider that there is a Terraform module for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Amazon Web Services.
    Aws,
    /// Google Cloud.
    Gcp,
    /// Microsoft Azure.
    Azure,
}

impl Provider {
    /// The provider of this name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name {
            "aws" => Some(Self::Aws),
            "gcp" => Some(Self::Gcp),
            "azure" => Some(Self::Azure),
            _ => None,
        }
    }
}

/// An IPv4 network, written `a.b.c.d/len`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4Net {
    /// First address.
    pub base: Ipv4Addr,
    /// Prefix length, 8 to 30.
    pub len: u8,
}

impl Ipv4Net {
    /// Whether `address` is inside.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        let mask = u32::MAX << (32 - u32::from(self.len));
        u32::from(address) & mask == u32::from(self.base) & mask
    }
}

impl fmt::Display for Ipv4Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.len)
    }
}

impl Serialize for Ipv4Net {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A directed pair of different clouds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Link {
    /// Cloud that sends.
    pub from: String,
    /// Cloud that receives.
    pub to: String,
    /// What the link does to packets.
    pub shape: LinkShape,
}

/// A control-plane member.
#[derive(Clone, Debug, Serialize)]
pub struct Node {
    /// Raft id.
    pub id: NodeId,
    /// Host name, unique among nodes and workers.
    pub name: String,
    /// Label of its cloud.
    pub cloud: String,
    /// Host name or address that the others reach it by (Raft transport and public gRPC services).
    pub address: String,
    /// Port of the Raft transport.
    pub raft_port: u16,
    /// Port of the public gRPC services.
    pub grpc_port: u16,
    /// Port of HTTP (state, health, metrics).
    pub http_port: u16,
    /// Whether it votes from the start.
    pub voter: bool,
}

impl Node {
    /// host:port of the Raft transport.
    pub fn raft_address(&self) -> String {
        format!("{}:{}", self.address, self.raft_port)
    }

    /// host:port of the public gRPC services.
    pub fn grpc_address(&self) -> String {
        format!("{}:{}", self.address, self.grpc_port)
    }
}

/// A worker.
#[derive(Clone, Debug, Serialize)]
pub struct Worker {
    /// Host name, unique among nodes and workers; also its worker id.
    pub name: String,
    /// Label of its cloud.
    pub cloud: String,
    /// Host name or address.
    pub address: String,
    /// Port of HTTP (health, metrics).
    pub http_port: u16,
    /// Attempts that it runs at once, 1 to 1024.
    pub capacity: u32,
    /// Nodes that it asks first, as host:port (ORCHESTRATOR_ADDR); empty: all nodes of the file.
    pub orchestrators: Vec<String>,
}

/// Where jobs read and write.
#[derive(Clone, Debug, Serialize)]
pub struct Storage {
    /// Who keeps the objects.
    pub service: StorageService,
    /// Bucket of the deployment; a container in Azure.
    pub bucket: String,
    /// Storage account of `az://` URLs.
    pub account: Option<String>,
    /// Region of `s3://` URLs.
    pub region: String,
    /// Label of the cloud that the store is in.
    pub cloud: String,
    /// Host that serves S3, in the simulation and wherever the service is [`StorageService::S3`].
    pub address: String,
    /// Port of S3.
    pub port: u16,
    /// Whether that host speaks HTTPS.
    pub tls: bool,
    /// PEM file with the authorities that may sign that host's certificate; without it, those of the system.
    pub ca: Option<PathBuf>,
    /// Where a node keeps its Raft log.
    pub log: LogBackend,
}

impl Storage {
    /// Scheme of the URL of that host.
    pub fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// host:port of S3.
    pub fn host_port(&self) -> String {
        format!("{}:{}", self.address, self.port)
    }
}

/// Who keeps the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageService {
    /// The server at `storage.address`, which speaks S3 over HTTPS when `storage.tls` says so, else over plain HTTP.
    S3,
    /// Amazon S3.
    Aws,
    /// Google Cloud Storage.
    Gcp,
    /// Azure Blob Storage.
    Azure,
}

impl StorageService {
    /// Whose own service it is; none for a server at an address.
    pub fn provider(self) -> Option<Provider> {
        match self {
            Self::S3 => None,
            Self::Aws => Some(Provider::Aws),
            Self::Gcp => Some(Provider::Gcp),
            Self::Azure => Some(Provider::Azure),
        }
    }
}

/// Where a node keeps its Raft log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogBackend {
    /// RocksDB, fsynced before anything is acknowledged.
    Rocksdb,
    /// Memory: nothing survives a restart; for experiments only.
    Memory,
}

/// Consensus timing and log settings. Ticks are one heartbeat long.
#[derive(Clone, Debug, Serialize)]
pub struct Raft {
    /// Time between heartbeats of a leader.
    pub heartbeat: Duration,
    /// Least time without a leader before an election; raft randomises it up to twice this.
    pub election_timeout: Duration,
    /// Whether this is the first start of a new cluster: needs empty data folders on all members.
    pub bootstrap: bool,
    /// Entries that are kept behind the applied index when the log is compacted.
    pub log_keep_entries: u64,
    /// Entries after which a snapshot is taken and the log compacted.
    pub snapshot_every_entries: u64,
    /// RocksDB and state below this folder; set by flag or environment when not in the file.
    pub data_dir: Option<PathBuf>,
}

/// Leases, heartbeats and retention.
#[derive(Clone, Debug, Serialize)]
pub struct Tasks {
    /// How often a worker sends a heartbeat.
    pub heartbeat: Duration,
    /// How long a grant holds without a heartbeat.
    pub lease: Duration,
    /// Default for the longest run of one attempt.
    pub timeout: Duration,
    /// How long finished tasks and jobs are kept.
    pub keep_finished: Duration,
    /// How many finished tasks are kept at most.
    pub keep_finished_max: u64,
}

/// Bounds on sizes and queues.
#[derive(Clone, Debug, Serialize)]
pub struct Limits {
    /// Longest value of the key-value store.
    pub value_bytes_max: u64,
    /// Longest key of the key-value store.
    pub key_bytes_max: u64,
    /// Longest task payload.
    pub payload_bytes_max: u64,
    /// Proposals that may wait at one node; beyond it answers "overloaded".
    pub proposals_max: u64,
    /// Connections that one port serves at once.
    pub connections_max: u64,
    /// Longest gRPC message.
    pub message_bytes_max: u64,
    /// Longest time of one request when the client sets no deadline.
    pub request_timeout: Duration,
    /// Free space below which a data folder is refused.
    pub free_bytes_min: u64,
}

/// Default ports; a node or worker may set its own.
#[derive(Clone, Debug, Serialize)]
pub struct Ports {
    /// Raft transport.
    pub raft: u16,
    /// Public gRPC services.
    pub grpc: u16,
    /// HTTP.
    pub http: u16,
    /// S3.
    pub s3: u16,
}

/// Settings of the local simulation.
#[derive(Clone, Debug, Serialize)]
pub struct Lab {
    /// Seed of all random draws of the emulated WAN.
    pub seed: u64,
    /// Cloud where the operator's host is (commands from outside enter there).
    pub operator_cloud: String,
    /// Largest IP packet inside the lab, in bytes, 576 to 9000.
    pub mtu: u16,
    /// What delays the packets.
    pub backend: LabBackend,
    /// Results that were measured in the simulation are invalid when more than one packet in a hundred left the
    /// emulated WAN later than this, 0.1 to 1,000 ms.
    pub lateness_p99_max: Duration,
}

/// How hosts are updated one after another.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Rollout {
    /// What updates one host.
    pub update: Option<HostCommand>,
    /// What brings back what one host ran before.
    pub rollback: Option<HostCommand>,
    /// How long a host may take to serve and to be caught up.
    pub wait: Duration,
    /// Longest run of one command.
    pub command_timeout: Duration,
}

/// What delays the packets of the simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LabBackend {
    /// User space: it has every shape, needs no module, and so is the same on every machine; where no namespaces can be
    /// made, relays.
    #[default]
    Auto,
    /// The WAN in user space.
    User,
    /// The kernel's netem; refused where there is none.
    Kernel,
    /// TCP relays on loopback: bytes, no packets; they need no privilege.
    Relay,
}

impl Config {
    /// The node with this name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// The node with this id.
    pub fn node_by_id(&self, id: NodeId) -> Option<&Node> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// The worker with this name.
    pub fn worker(&self, name: &str) -> Option<&Worker> {
        self.workers.iter().find(|worker| worker.name == name)
    }

    /// Shape of the directed link between two clouds (the local link when they are the same).
    pub fn link(&self, from: &str, to: &str) -> Option<&LinkShape> {
        if from == to {
            return self.clouds.contains_key(from).then_some(&self.local_link);
        }
        self.links.iter().find(|link| link.from == from && link.to == to).map(|link| &link.shape)
    }
}
