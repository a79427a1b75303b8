//! What a lab consists of, and the check that it makes sense before anything is made.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use farquorum_config::{Config, Ipv4Net, LabBackend, Link, LinkShape, known};

use super::address::ipv6_of;
use super::{gateway, netns};
use crate::error::LabError;

/// Least MTU of IPv6 (RFC 8200, section 5).
pub(super) const IPV6_MTU_MIN: u16 = 1_280;

/// Name of the object store's host.
pub const OBJECT_STORE: &str = "object-store";
/// Name of the host through which commands from outside enter.
pub const OPERATOR: &str = "operator";
/// Name of the interface in a host that leads to the virtual machine which has the host's address.
pub const MACHINE_INTERFACE: &str = "vm0";

/// One host of the lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSpec {
    /// Unique name.
    pub name: String,
    /// Label of its cloud.
    pub cloud: String,
    /// Its IPv4 address, inside the cloud's network. Its IPv6 address follows from it ([`ipv6_of`]).
    pub address: Ipv4Addr,
}

impl HostSpec {
    /// Its IPv6 address, which it has unless [`LabSpec::has_ipv6`] says no.
    pub fn ipv6(&self) -> Ipv6Addr {
        ipv6_of(self.address)
    }
}

/// A lab: hosts, clouds and the links between them.
#[derive(Clone, Debug)]
pub struct LabSpec {
    /// All hosts.
    pub hosts: Vec<HostSpec>,
    /// Network of each cloud.
    pub clouds: BTreeMap<String, Ipv4Net>,
    /// Every ordered pair of different clouds, once.
    pub links: Vec<Link>,
    /// Link between two hosts of the same cloud.
    pub local: LinkShape,
    /// Largest IP packet, in bytes, 576 to 9000.
    pub mtu: u16,
    /// Seed of all random draws.
    pub seed: u64,
    /// What delays the packets.
    pub backend: LabBackend,
    /// Hosts whose address belongs to a virtual machine: their namespace is the way to it, over the interface
    /// [`MACHINE_INTERFACE`]. The self-test asks other hosts of their clouds.
    pub machines: BTreeSet<String>,
}

impl LabSpec {
    /// The hosts that a configuration names: nodes, workers, the object store, and the operator at `.2` of its cloud.
    ///
    /// # Errors
    /// A host whose address is a name: inside the lab nobody resolves names.
    pub fn from_config(config: &Config) -> Result<LabSpec, LabError> {
        let nodes = config.nodes.iter().map(|node| (&node.name, &node.cloud, &node.address));
        let workers = config.workers.iter().map(|worker| (&worker.name, &worker.cloud, &worker.address));
        let store = (&OBJECT_STORE.to_string(), &config.storage.cloud, &config.storage.address);
        let mut hosts = nodes
            .chain(workers)
            .chain([store])
            .map(|(name, cloud, address)| host(name, cloud, address))
            .collect::<Result<Vec<_>, _>>()?;
        let clouds: BTreeMap<_, _> =
            config.clouds.iter().map(|(label, cloud)| (label.clone(), cloud.network)).collect();
        let operator_cloud = &config.lab.operator_cloud;
        let network = clouds.get(operator_cloud).ok_or_else(|| {
            LabError::Spec(format!(
                "lab.operator_cloud = \"{operator_cloud}\" is no cloud; {}",
                known(operator_cloud, clouds.keys())
            ))
        })?;
        hosts.push(HostSpec {
            name: OPERATOR.to_string(),
            cloud: operator_cloud.clone(),
            address: Ipv4Addr::from(u32::from(network.base).saturating_add(2)),
        });
        let (links, local) = (config.links.clone(), config.local_link.clone());
        let farquorum_config::Lab { seed, mtu, backend, .. } = config.lab;
        let machines = BTreeSet::new();
        Ok(LabSpec { hosts, clouds, links, local, mtu, seed, backend, machines })
    }

    /// Whether the hosts have IPv6: the kernel has it, and the MTU is at least the 1280 bytes that it asks for.
    pub fn has_ipv6(&self) -> bool {
        self.mtu >= IPV6_MTU_MIN && netns::has_ipv6()
    }

    /// Checks that names and addresses are unique, addresses lie in their cloud, and each link is there once.
    pub(crate) fn check(&self) -> Result<(), LabError> {
        self.check_hosts()?;
        self.check_links()?;
        if !(576..=9000).contains(&self.mtu) {
            return Err(LabError::Spec(format!("mtu = {} is not allowed: 576 to 9000 bytes", self.mtu)));
        }
        Ok(())
    }

    fn check_hosts(&self) -> Result<(), LabError> {
        let mut names: BTreeSet<&str> = self.clouds.keys().map(String::as_str).collect();
        let mut addresses = BTreeMap::new();
        for host in &self.hosts {
            if !names.insert(&host.name) {
                return Err(LabError::Spec(format!(
                    "the name `{}` is given twice (hosts and clouds share names)",
                    host.name
                )));
            }
            if let Some(other) = addresses.insert(host.address, &host.name) {
                return Err(LabError::Spec(format!(
                    "`{}` and `{other}` have the same address {}",
                    host.name, host.address
                )));
            }
            let Some(network) = self.clouds.get(&host.cloud) else {
                let clouds = known(&host.cloud, self.clouds.keys());
                return Err(LabError::Spec(format!(
                    "host `{}`: `{}` is no cloud; {clouds}",
                    host.name, host.cloud
                )));
            };
            if host.address == gateway(*network) {
                return Err(LabError::Spec(format!(
                    "host `{}`: {} is the address of the gateway of `{}`",
                    host.name, host.address, host.cloud
                )));
            }
            if !network.contains(host.address) {
                return Err(LabError::Spec(format!(
                    "host `{}`: {} is outside the network {network} of `{}`",
                    host.name, host.address, host.cloud
                )));
            }
        }
        Ok(())
    }

    fn check_links(&self) -> Result<(), LabError> {
        let mut missing: BTreeSet<(&str, &str)> = BTreeSet::new();
        for from in self.clouds.keys() {
            missing
                .extend(self.clouds.keys().filter(|to| *to != from).map(|to| (from.as_str(), to.as_str())));
        }
        for link in &self.links {
            if !missing.remove(&(&link.from, &link.to)) {
                let clouds: Vec<&str> = self.clouds.keys().map(String::as_str).collect();
                return Err(LabError::Spec(format!(
                    "link {} -> {} is given twice or joins no two clouds; known: {}",
                    link.from,
                    link.to,
                    clouds.join(", ")
                )));
            }
            let shape_error =
                |source| LabError::Shape { from: link.from.clone(), to: link.to.clone(), source };
            link.shape.check().map_err(shape_error)?;
        }
        if let Some((from, to)) = missing.first() {
            return Err(LabError::Spec(format!(
                "link {from} -> {to} is missing: no packet may pass unshaped"
            )));
        }
        let local_error =
            |source| LabError::Shape { from: "a cloud".to_string(), to: "itself".to_string(), source };
        self.local.check().map_err(local_error)
    }
}

fn host(name: &str, cloud: &str, address: &str) -> Result<HostSpec, LabError> {
    let address = address.parse().map_err(|_| {
        LabError::Spec(format!(
            "host `{name}`: address \"{address}\" is not an IPv4 address; the lab resolves no names"
        ))
    })?;
    Ok(HostSpec { name: name.to_string(), cloud: cloud.to_string(), address })
}

#[cfg(test)]
mod tests {
    use farquorum_config::Loss;

    use super::*;

    fn good() -> LabSpec {
        let host = |name: &str, cloud: &str, address| HostSpec {
            name: name.to_string(),
            cloud: cloud.to_string(),
            address: Ipv4Addr::from(address),
        };
        let network = |net| Ipv4Net { base: Ipv4Addr::new(10, net, 0, 0), len: 24 };
        let link = |from: &str, to: &str| Link {
            from: from.to_string(),
            to: to.to_string(),
            shape: LinkShape { delay_ms: 25.0, ..LinkShape::default() },
        };
        LabSpec {
            hosts: vec![host("one", "aws", [10, 10, 0, 11]), host("two", "gcp", [10, 20, 0, 11])],
            clouds: [("aws", 10), ("gcp", 20)].map(|(name, net)| (name.to_string(), network(net))).into(),
            links: vec![link("aws", "gcp"), link("gcp", "aws")],
            local: LinkShape::default(),
            mtu: 1500,
            seed: 1,
            backend: LabBackend::Auto,
            machines: BTreeSet::new(),
        }
    }

    /// A change that breaks a good spec, and a part of what is then said.
    type BadSpec = (fn(&mut LabSpec), &'static str);

    #[test]
    fn contradictions_are_refused() {
        assert!(good().check().is_ok());
        let cases: [BadSpec; 10] = [
            (|spec| spec.hosts[1].name = "one".to_string(), "the name `one` is given twice"),
            (|spec| spec.hosts[1].name = "aws".to_string(), "the name `aws` is given twice"),
            (
                |spec| spec.hosts[1].address = spec.hosts[0].address,
                "`two` and `one` have the same address 10.10.0.11",
            ),
            (|spec| spec.hosts[1].cloud = "azure".to_string(), "`azure` is no cloud; known: aws, gcp"),
            (
                |spec| spec.hosts[1].cloud = "aws".to_string(),
                "10.20.0.11 is outside the network 10.10.0.0/24 of `aws`",
            ),
            (
                |spec| spec.hosts[0].address = Ipv4Addr::new(10, 10, 0, 1),
                "10.10.0.1 is the address of the gateway of `aws`",
            ),
            (|spec| drop(spec.links.pop()), "link gcp -> aws is missing"),
            (|spec| spec.links.push(spec.links[0].clone()), "link aws -> gcp is given twice"),
            (
                |spec| spec.links[0].shape.loss = Loss::Independent(1.5),
                "link aws -> gcp: loss = 1.5: must be",
            ),
            (|spec| spec.mtu = 100, "mtu = 100 is not allowed: 576 to 9000"),
        ];
        for (spoil, part) in cases {
            let mut spec = good();
            spoil(&mut spec);
            let text = spec.check().map_err(|error| error.to_string());
            assert!(text.as_ref().is_err_and(|text| text.contains(part)), "{text:?} does not say `{part}`");
        }
    }

    #[test]
    fn a_host_name_instead_of_an_address_is_refused() {
        let error = host("cp-aws-1", "aws", "cp-aws-1.internal").map_err(|error| error.to_string());
        assert!(
            error.is_err_and(|text| text.contains("`cp-aws-1`") && text.contains("is not an IPv4 address"))
        );
    }
}
