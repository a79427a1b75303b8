//! What runs where when there are no namespaces: every service keeps its address and gets a port of 127.0.0.1 to listen
//! on, and whoever dials it gets a relay of its own. A process knows the others by their addresses, as ever, and its
//! configuration says by which detours it reaches them ([`Detours`]). No side effects except binding ports.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use farquorum_config::{Config, Detours};
use farquorum_netem::lab::{HostSpec, LabSpec, OPERATOR};
use farquorum_netem::relay::{Door, Reserved, Route};

use super::plan::{RAFT, services};
use super::report::HostPlan;
use crate::failure::Failure;

/// Hosts, relays and ports of a simulation without namespaces.
pub(crate) struct Relayed {
    /// Hosts in the order of the status table.
    pub(crate) hosts: Vec<HostPlan>,
    /// All relays, bound.
    pub(crate) doors: Vec<Door>,
    /// Ports of the services.
    pub(crate) reserved: Vec<Reserved>,
    /// For each host, how its process reaches the others and where it listens itself.
    pub(crate) detours: Vec<(String, Detours)>,
}

/// A service of a host.
struct Service<'a> {
    host: &'a HostSpec,
    name: &'static str,
    port: u16,
    target: SocketAddr,
}

impl Service<'_> {
    /// host:port by which everybody knows it.
    fn known(&self) -> String {
        format!("{}:{}", self.host.address, self.port)
    }
}

/// Who dials what: nodes each other, workers nodes and the store, the operator all that is not among nodes only. Nothing
/// else is reached: a process whose detours lack an address refuses it.
fn dials(role: &str, service: &str) -> bool {
    match role {
        "node" => service == RAFT,
        "worker" => ["grpc", "s3"].contains(&service),
        "operator" => service != RAFT,
        _ => false,
    }
}

/// Binds a port for every service and a relay for everybody who dials it.
pub(crate) fn plan(config: &Config, spec: &LabSpec) -> Result<Relayed, Failure> {
    let mut reserved = Vec::new();
    let mut all = Vec::new();
    for host in &spec.hosts {
        for (name, port) in services(config, host).1 {
            let kept = Reserved::port().map_err(Failure::failed)?;
            all.push(Service { host, name, port, target: kept.address });
            reserved.push(kept);
        }
    }
    let (mut doors, mut detours) = (Vec::new(), Vec::new());
    let mut ways_in: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    for from in &spec.hosts {
        let role = services(config, from).0;
        let mut ways = Vec::new();
        for service in &all {
            if service.host == from {
                ways.push((service.known(), service.target.to_string()));
            } else if dials(role, service.name) {
                let door = door(from, service)?;
                ways.push((service.known(), door.address.to_string()));
                if from.name == OPERATOR {
                    let ports = ways_in.entry(&service.host.name).or_default();
                    ports.insert(service.name.to_owned(), door.address.to_string());
                }
                doors.push(door);
            }
        }
        detours.push((from.name.clone(), ways.into_iter().collect()));
    }
    let host = |host: &HostSpec| HostPlan {
        name: host.name.clone(),
        role: services(config, host).0,
        cloud: host.cloud.clone(),
        address: host.address,
        ports: ways_in.get(host.name.as_str()).cloned().unwrap_or_default(),
    };
    Ok(Relayed { hosts: spec.hosts.iter().map(host).collect(), doors, reserved, detours })
}

fn door(from: &HostSpec, service: &Service<'_>) -> Result<Door, Failure> {
    let (from, to) = (from.name.clone(), service.host.name.clone());
    Door::bind(Route { from, to, port: service.port, target: service.target }).map_err(Failure::failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned() -> (Config, Relayed) {
        let config = farquorum_config::load(&Default::default()).unwrap().config;
        let relayed = plan(&config, &LabSpec::from_config(&config).unwrap()).unwrap();
        (config, relayed)
    }

    /// From nobody to a service of another host is there a way but through the relay of exactly these two.
    #[test]
    fn every_way_to_another_host_is_a_relay_of_its_own() {
        let (config, relayed) = planned();
        let targets: Vec<String> = relayed.reserved.iter().map(|kept| kept.address.to_string()).collect();
        for (host, detours) in &relayed.detours {
            for service in relayed.hosts.iter().flat_map(|plan| {
                let spec = LabSpec::from_config(&config).unwrap();
                let host = spec.hosts.into_iter().find(|host| host.name == plan.name).unwrap();
                let services = services(&config, &host).1;
                services.into_iter().map(move |(_, port)| (host.clone(), port))
            }) {
                let (to, port) = service;
                let Ok(way) = detours.of(&format!("{}:{port}", to.address)).map(str::to_owned) else {
                    continue;
                };
                let door = relayed.doors.iter().find(|door| door.address.to_string() == way);
                if to.name == *host {
                    assert!(targets.contains(&way) && door.is_none(), "{host} listens at {way}");
                } else {
                    let route = &door.unwrap().route;
                    assert_eq!((&route.from, &route.to, route.port), (host, &to.name, port));
                    assert!(targets.contains(&route.target.to_string()) && !targets.contains(&way));
                }
            }
        }
    }

    #[test]
    fn each_reaches_what_it_needs_and_nothing_else() {
        let (_, relayed) = planned();
        let ways = |host: &str| &relayed.detours.iter().find(|(name, _)| name == host).unwrap().1;
        let cases = [
            ("cp-aws-1", "10.20.0.11:7379", true),
            ("cp-aws-1", "10.20.0.11:50051", false),
            ("worker-gcp-1", "10.10.0.11:50051", true),
            ("worker-gcp-1", "10.10.0.11:7379", false),
            ("operator", "10.20.0.21:8080", true),
            ("operator", "10.10.0.11:7379", false),
            ("object-store", "10.10.0.11:50051", false),
        ];
        for (host, address, reached) in cases {
            assert_eq!(ways(host).of(address).is_ok(), reached, "{host} to {address}");
        }
        let node = relayed.hosts.iter().find(|host| host.name == "cp-aws-1").unwrap();
        assert_eq!(
            node.ports.keys().collect::<Vec<_>>(),
            ["grpc", "http"],
            "from outside, by the operator's relays"
        );
    }
}
