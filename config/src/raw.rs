//! The file as serde sees it. Everything is optional, so that "not set" stays visible until [`crate::validate`]
//! decides what it means. The keys, their types and defaults are documented once, in [`crate::keys`]; a test keeps
//! both in step.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Declares a table whose keys are all optional.
macro_rules! raw_table {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Deserialize, Serialize)]
        #[serde(default, deny_unknown_fields)]
        pub(crate) struct $name { $(pub(crate) $field: Option<$type>),* }
    };
}

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Raw {
    pub(crate) cluster: RawCluster,
    pub(crate) clouds: BTreeMap<String, RawCloud>,
    pub(crate) links: Vec<RawLink>,
    pub(crate) local_link: RawLocalLink,
    pub(crate) nodes: Vec<RawNode>,
    pub(crate) workers: Vec<RawWorker>,
    pub(crate) storage: RawStorage,
    pub(crate) raft: RawRaft,
    pub(crate) tasks: RawTasks,
    pub(crate) limits: RawLimits,
    pub(crate) ports: RawPorts,
    pub(crate) lab: RawLab,
}

raw_table! {
    /// `[cluster]`
    RawCluster { name: String, allow_single_node: bool }
}
raw_table! {
    /// `[clouds.<label>]`
    RawCloud { network: String, region: String }
}
raw_table! {
    /// `[[links]]`
    RawLink {
        between: Vec<String>, from: String, to: String, rtt_ms: f64, delay_ms: f64, jitter_ms: f64, loss: f64,
        rate_mbit: f64, queue_bytes: u64, reorder: f64,
    }
}
raw_table! {
    /// `[local_link]`
    RawLocalLink { delay_ms: f64, jitter_ms: f64, loss: f64, rate_mbit: f64, queue_bytes: u64, reorder: f64 }
}
raw_table! {
    /// `[[nodes]]`
    RawNode {
        id: u64, name: String, cloud: String, address: String, raft_port: u16, grpc_port: u16, http_port: u16,
        voter: bool,
    }
}
raw_table! {
    /// `[[workers]]`
    RawWorker {
        name: String, cloud: String, address: String, http_port: u16, capacity: u32, orchestrators: Vec<String>,
    }
}
raw_table! {
    /// `[storage]`
    RawStorage { bucket: String, cloud: String, address: String, port: u16, log: String }
}
raw_table! {
    /// `[raft]`
    RawRaft {
        heartbeat_ms: u64, election_timeout_ms: u64, bootstrap: bool, log_keep_entries: u64,
        snapshot_every_entries: u64, data_dir: PathBuf,
    }
}
raw_table! {
    /// `[tasks]`
    RawTasks { heartbeat_ms: u64, lease_ms: u64, timeout_s: u64, keep_finished_s: u64, keep_finished_max: u64 }
}
raw_table! {
    /// `[limits]`
    RawLimits {
        value_bytes_max: u64, key_bytes_max: u64, payload_bytes_max: u64, proposals_max: u64, connections_max: u64,
        message_bytes_max: u64, request_timeout_ms: u64, free_bytes_min: u64,
    }
}
raw_table! {
    /// `[ports]`
    RawPorts { raft: u16, grpc: u16, http: u16, s3: u16 }
}
raw_table! {
    /// `[lab]`
    RawLab { seed: u64, operator_cloud: String, mtu: u16 }
}
