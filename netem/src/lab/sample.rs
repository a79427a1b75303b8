//! A small lab of the usual shape, for measurements and tests.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use farquorum_config::{Ipv4Net, LabBackend, Link, LinkShape};

use super::{HostSpec, LabSpec};

/// Address of the first host of a cloud, in its network.
const FIRST_HOST: u8 = 11;

impl LabSpec {
    /// Clouds with networks 10.`number`.0.0/24, each with hosts `CLOUD-11`, `CLOUD-12` and so on at these addresses;
    /// between two clouds a round-trip time in milliseconds, half of it each way, and nothing inside a cloud. Packets
    /// of 1,500 bytes, seed 1. Every pair must have its time, or the lab is refused when it starts.
    pub fn sample(clouds: &[(&str, u8)], hosts_each: u8, rtts_ms: &[(&str, &str, f64)]) -> LabSpec {
        let host = |cloud: &str, number: u8, last: u8| HostSpec {
            name: format!("{cloud}-{last}"),
            cloud: cloud.to_string(),
            address: Ipv4Addr::new(10, number, 0, last),
        };
        let hosts = clouds.iter().flat_map(|(cloud, number)| {
            let last = (0..hosts_each).map(|index| FIRST_HOST.saturating_add(index));
            last.map(move |last| host(cloud, *number, last))
        });
        let network = |number| Ipv4Net { base: Ipv4Addr::new(10, number, 0, 0), len: 24 };
        let link = |from: &str, to: &str, rtt_ms: f64| Link {
            from: from.to_string(),
            to: to.to_string(),
            shape: LinkShape { delay_ms: rtt_ms / 2.0, ..LinkShape::default() },
        };
        LabSpec {
            hosts: hosts.collect(),
            clouds: clouds.iter().map(|(cloud, number)| (cloud.to_string(), network(*number))).collect(),
            links: rtts_ms.iter().flat_map(|(a, b, rtt)| [link(a, b, *rtt), link(b, a, *rtt)]).collect(),
            local: LinkShape::default(),
            mtu: 1_500,
            seed: 1,
            backend: LabBackend::Auto,
            machines: BTreeSet::new(),
        }
    }
}
