//! The file as serde sees it. Everything is optional, so that "not set" stays visible until [`crate::validate`]
//! decides what it means. The keys, their types and defaults are documented once, in [`crate::keys`]; a test keeps
//! both in step.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::shape::{GilbertKeys, ShapeKeys};

/// Declares a table whose keys are all optional.
macro_rules! raw_table {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Deserialize, Serialize)]
        #[serde(default, deny_unknown_fields)]
        pub(crate) struct $name { $(pub(crate) $field: Option<$type>),* }
    };
}

/// Declares a table of the keys of a link shape and some of its own.
macro_rules! shape_table {
    ($(#[$doc:meta])* $name:ident { $($own:ident: $type:ty),* }) => {
        shape_table! {
            @all $(#[$doc])* $name { $($own: $type),* } {
                delay_ms: f64, jitter_ms: f64, jitter_distribution: String, jitter_quantiles_ms: Vec<f64>,
                jitter_memory_ms: f64, loss: f64, loss_gilbert: GilbertKeys, rate_mbit: f64, queue_bytes: u64,
                queue: String, codel_target_ms: f64, codel_interval_ms: f64, reorder: f64, duplicate: f64,
                corrupt: f64,
            }
        }
    };
    (@all $(#[$doc:meta])* $name:ident { $($own:ident: $own_type:ty),* } { $($key:ident: $type:ty),* $(,)? }) => {
        raw_table! { $(#[$doc])* $name { $($own: $own_type,)* $($key: $type),* } }
        impl $name {
            /// The keys of the shape.
            pub(crate) fn shape_keys(&self) -> ShapeKeys {
                ShapeKeys { $($key: self.$key.clone()),* }
            }
        }
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
    pub(crate) rollout: RawRollout,
    pub(crate) detours: Vec<RawDetour>,
}

raw_table! {
    /// `[cluster]`
    RawCluster { name: String, allow_single_node: bool }
}
raw_table! {
    /// `[clouds.<label>]`
    RawCloud { network: String, region: String, provider: String }
}
shape_table! {
    /// `[[links]]`
    RawLink { between: Vec<String>, from: String, to: String, rtt_ms: f64 }
}
shape_table! {
    /// `[local_link]`
    RawLocalLink {}
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
    RawStorage {
        service: String, bucket: String, account: String, region: String, cloud: String, address: String, port: u16,
        tls: bool, ca: PathBuf, log: String,
    }
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
    RawLab { seed: u64, operator_cloud: String, mtu: u16, backend: String, lateness_p99_max_ms: f64 }
}
raw_table! {
    /// `[rollout]`
    RawRollout { update: Vec<String>, rollback: Vec<String>, wait_s: u64, command_timeout_s: u64 }
}
raw_table! {
    /// `[[detours]]`
    RawDetour { address: String, to: String }
}

#[cfg(test)]
mod tests {
    use figment::value::{Dict, Value};

    use crate::finding::Report;
    use crate::keys::{Kind, keys};
    use crate::layers::{extract, insert};

    /// A value that the kind accepts.
    fn sample(kind: &Kind) -> Value {
        match kind {
            Kind::Whole { min, .. } => (*min).into(),
            Kind::Number { max, .. } => (*max).into(),
            Kind::Share => 0.5.into(),
            Kind::Switch => true.into(),
            Kind::Text(_) | Kind::Choice(_) => "text".into(),
            Kind::TextList { .. } => vec![Value::from("text")].into(),
            Kind::Quantiles => vec![Value::from(0.5)].into(),
        }
    }

    /// A file with every key of the table set: one cloud `a`, one element in each list.
    fn full_tree() -> Dict {
        let mut tree = Dict::new();
        for key in keys() {
            insert(&mut tree, &key.name.replace("<label>", "a").replace("[]", ""), sample(&key.kind));
        }
        for list in ["links", "nodes", "workers", "detours"] {
            let element = tree.remove(list).unwrap();
            tree.insert(list.to_owned(), vec![element].into());
        }
        tree
    }

    /// Dotted names of all leaves, with the null ones, in the pattern form of the table of keys.
    fn leaves(value: &serde_json::Value, at: &str, out: &mut Vec<(String, bool)>) {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, field) in fields {
                    leaves(field, &crate::keys::child_pattern(at, name), out);
                }
            }
            serde_json::Value::Array(elements) if elements.iter().all(serde_json::Value::is_object) => {
                for element in elements {
                    leaves(element, &format!("{at}[]"), out);
                }
            }
            leaf => out.push((at.to_owned(), leaf.is_null())),
        }
    }

    #[test]
    fn the_table_of_keys_and_the_raw_struct_name_the_same_keys() {
        let mut report = Report::default();
        let raw = extract(&full_tree(), &mut report);
        let (warnings, _) =
            report.finish().unwrap_or_else(|errors| panic!("a key that the struct lacks: {errors}"));
        assert_eq!(warnings, []);
        let mut found = Vec::new();
        leaves(&serde_json::to_value(&raw).unwrap(), "", &mut found);
        let unset: Vec<_> = found.iter().filter(|(_, null)| *null).collect();
        assert!(unset.is_empty(), "fields that the table lacks: {unset:?}");
        let mut names: Vec<_> = found.into_iter().map(|(name, _)| name).collect();
        let mut known: Vec<_> = keys().iter().map(|key| key.name.to_owned()).collect();
        names.sort();
        known.sort();
        assert_eq!(names, known);
    }

    #[test]
    fn every_default_is_allowed_and_every_meaning_is_a_sentence() {
        for key in keys() {
            if let crate::keys::Fallback::Value(text) = key.default {
                let value =
                    crate::document::parse_value(text).unwrap_or_else(|| panic!("{}: not TOML", key.name));
                assert!(key.kind.accepts(&value), "{} = {text} is not {}", key.name, key.kind.allowed());
            }
            assert!(key.meaning.ends_with('.'), "{}", key.name);
        }
    }
}
