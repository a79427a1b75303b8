//! Named topologies: which nodes there are, for trying the same configuration in another shape. A topology replaces
//! the file's nodes before the environment is read, so that RAFT_PEERS can name its members. Workers stay.

use figment::value::{Dict, Value};

use crate::finding::{Origin, Report};
use crate::layers::Layers;
use crate::{keys, names};

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

/// The topology of this name.
///
/// # Errors
/// The names that exist, with the nearest first.
pub fn topology(name: &str) -> Result<&'static Topology, String> {
    let names: Vec<&str> = TOPOLOGIES.iter().map(|topology| topology.name).collect();
    TOPOLOGIES.iter().find(|topology| topology.name == name).ok_or_else(|| names::known(name, &names))
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
