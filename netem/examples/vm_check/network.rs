//! The network of the comparison: three clouds with two hosts each, and another delay in every direction, so that no
//! link can stand in for another unnoticed.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use farquorum_config::{Ipv4Net, LabBackend, Link, LinkShape};
use farquorum_netem::lab::{HostSpec, LabSpec};

/// Every directed link with its delay, ms.
pub(crate) const DELAYS: [(&str, &str, f64); 6] = [
    ("aws", "azure", 37.5),
    ("aws", "gcp", 25.0),
    ("azure", "aws", 5.0),
    ("azure", "gcp", 1.0),
    ("gcp", "aws", 15.0),
    ("gcp", "azure", 150.0),
];

/// A link that does nothing but delay.
pub(crate) fn plain(delay_ms: f64) -> LinkShape {
    LinkShape { delay_ms, ..LinkShape::default() }
}

/// The network, for one backend.
pub(crate) fn spec(backend: LabBackend) -> LabSpec {
    let clouds = [("aws", 10), ("azure", 30), ("gcp", 20)];
    let host = |cloud: &str, network, last| HostSpec {
        name: format!("{cloud}-{last}"),
        cloud: cloud.to_string(),
        address: Ipv4Addr::new(10, network, 0, last),
    };
    let network = |number| Ipv4Net { base: Ipv4Addr::new(10, number, 0, 0), len: 24 };
    let link = |(from, to, delay_ms): (&str, &str, f64)| Link {
        from: from.to_string(),
        to: to.to_string(),
        shape: plain(delay_ms),
    };
    LabSpec {
        hosts: clouds
            .iter()
            .flat_map(|(cloud, number)| [host(cloud, *number, 11), host(cloud, *number, 12)])
            .collect(),
        clouds: clouds.iter().map(|(cloud, number)| ((*cloud).to_string(), network(*number))).collect(),
        links: DELAYS.into_iter().map(link).collect(),
        local: LinkShape::default(),
        mtu: 1_500,
        seed: 1,
        backend,
        machines: BTreeSet::new(),
    }
}
