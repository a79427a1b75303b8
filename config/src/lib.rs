//! The one configuration file: raw TOML, environment and flags in, a validated [`Config`] out.

mod types;

pub use types::{
    Cloud, Cluster, Config, Ipv4Net, Lab, Limits, Link, LinkShape, LogBackend, Node, NodeId, Ports, Raft, Storage,
    Tasks, Worker,
};
