//! Named topologies (which nodes there are) and presets (how far apart the clouds are), for trying the same
//! configuration in another shape. A topology replaces the file's nodes before the environment is read, so that
//! RAFT_PEERS can name its members; a preset replaces the links after it. Workers stay.

use figment::value::{Dict, Value};

use crate::finding::{Origin, Report};
use crate::keys;
use crate::layers::Layers;
use crate::links::between;

/// A named topology: how many nodes each cloud has.
#[derive(Clone, Copy, Debug)]
pub struct Topology {
    /// Name, for `--topology`.
    pub name: &'static str,
    /// Nodes by cloud; ids count up in this order.
    pub nodes: &'static [(&'static str, u8)],
    /// What it is for.
    pub meaning: &'static str,
}

/// A named set of links.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Name, for `--preset`.
    pub name: &'static str,
    /// RTT in ms by pair of clouds; empty: `across_ms` between all clouds of the file.
    pub rtt_ms: &'static [(&'static str, &'static str, f64)],
    /// RTT in ms between clouds that `rtt_ms` does not name.
    pub across_ms: Option<f64>,
    /// RTT in ms between two hosts of one cloud.
    pub inside_ms: f64,
    /// Where the figures are from.
    pub meaning: &'static str,
}

/// All topologies.
pub const TOPOLOGIES: &[Topology] = &[
    Topology {
        name: "three",
        nodes: &[("aws", 1), ("gcp", 1), ("azure", 1)],
        meaning: "one node a cloud: survives the loss of any one cloud",
    },
    Topology {
        name: "sprint1",
        nodes: &[("aws", 1), ("gcp", 2)],
        meaning: "one node in AWS, two in GCP: survives the loss of AWS, not of GCP",
    },
    Topology {
        name: "five",
        nodes: &[("aws", 2), ("gcp", 2), ("azure", 1)],
        meaning: "five nodes over three clouds: survives the loss of any one cloud, or of any two nodes",
    },
    Topology {
        name: "six",
        nodes: &[("aws", 3), ("gcp", 3)],
        meaning: "three and three: an even number, so that neither half can write when the link is cut",
    },
];

/// All presets.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "seed",
        rtt_ms: &[("aws", "gcp", 50.0), ("aws", "azure", 75.0), ("gcp", "azure", 60.0)],
        across_ms: None,
        inside_ms: 0.2,
        meaning: "the default distances: 50, 75 and 60 ms across",
    },
    Preset {
        name: "observed",
        rtt_ms: &[],
        across_ms: Some(243.0),
        inside_ms: 25.0,
        meaning: "slow links: 243 ms across, 25 ms inside a cloud",
    },
];

/// The topology of this name.
///
/// # Errors
/// The names that exist, with the nearest first.
pub fn topology(name: &str) -> Result<&'static Topology, String> {
    let names: Vec<&str> = TOPOLOGIES.iter().map(|topology| topology.name).collect();
    TOPOLOGIES.iter().find(|topology| topology.name == name).ok_or_else(|| keys::known(name, &names))
}

/// The preset of this name.
///
/// # Errors
/// The names that exist, with the nearest first.
pub fn preset(name: &str) -> Result<&'static Preset, String> {
    let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
    PRESETS.iter().find(|preset| preset.name == name).ok_or_else(|| keys::known(name, &names))
}

/// Replaces the nodes by those of a named topology: `cp-<cloud>-<n>` at the addresses .11, .12, ... of the cloud.
pub(crate) fn apply_topology(name: &str, layers: &mut Layers, report: &mut Report) {
    let origin = Origin::CommandLine(Some(format!("--topology {name}")));
    let found = match topology(name) {
        Ok(found) => found,
        Err(known) => return report.error_at(origin, "", None, format!("no such topology; {known}")),
    };
    let clouds = layers.clouds();
    let mut nodes: Vec<Value> = Vec::new();
    for (label, count) in found.nodes {
        let Some((_, network)) = clouds.iter().find(|(known, _)| known == label) else {
            report.error_at(origin.clone(), "", None, format!("needs a cloud {label}; add [clouds.{label}]"));
            continue;
        };
        // A network that is none is reported with the file's other values.
        let Some(base) = network.as_deref().and_then(keys::parse_network).map(|network| network.base) else {
            return;
        };
        for n in 1..=*count {
            let address = std::net::Ipv4Addr::from(u32::from(base).saturating_add(10 + u32::from(n)));
            let id = i64::try_from(nodes.len() + 1).unwrap_or(i64::MAX);
            let fields: [(&str, Value); 4] = [
                ("id", id.into()),
                ("name", format!("cp-{label}-{n}").into()),
                ("cloud", (*label).into()),
                ("address", address.to_string().into()),
            ];
            nodes.push(Dict::from(fields.map(|(name, value)| (name.to_owned(), value))).into());
        }
    }
    layers.replace_list("nodes", nodes);
    report.origins.keep_elements("nodes", &[]);
    report.origins.set("nodes", origin);
}

/// Replaces all links, also the one inside a cloud, by those of a named preset.
pub(crate) fn apply_preset(name: &str, layers: &mut Layers, report: &mut Report) {
    let origin = Origin::CommandLine(Some(format!("--preset {name}")));
    let found = match preset(name) {
        Ok(found) => found,
        Err(known) => return report.error_at(origin, "", None, format!("no such preset; {known}")),
    };
    let labels: Vec<String> = layers.clouds().into_iter().map(|(label, _)| label).collect();
    let mut links = Vec::new();
    for (index, a) in labels.iter().enumerate() {
        for b in labels.iter().skip(index + 1) {
            let named = found.rtt_ms.iter().find(|(x, y, _)| {
                (x, y) == (&a.as_str(), &b.as_str()) || (y, x) == (&a.as_str(), &b.as_str())
            });
            match named.map(|(.., rtt_ms)| *rtt_ms).or(found.across_ms) {
                Some(rtt_ms) => links.push(between(a, b, rtt_ms.into())),
                None => report.error_at(origin.clone(), "", None, format!("says nothing about {a} and {b}")),
            }
        }
    }
    layers.replace_list("links", links);
    report.origins.keep_elements("links", &[]);
    report.origins.set("links", origin.clone());
    for (key, value) in
        [("delay_ms", found.inside_ms / 2.0), ("jitter_ms", 0.0), ("loss", 0.0), ("reorder", 0.0)]
    {
        layers.set(&format!("local_link.{key}"), value.into(), origin.clone(), report);
    }
}
