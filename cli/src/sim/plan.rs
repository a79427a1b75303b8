//! What runs where: from the configuration to the hosts, programs and ports of a simulation. No side effects except
//! binding the listeners.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};

use farquorum_config::Config;
use farquorum_netem::lab::{HostSpec, LabSpec, OBJECT_STORE};

use super::folder::Folder;
use super::process::Program;
use super::report::HostPlan;
use crate::failure::Failure;

/// The service that nodes have for each other; nobody outside speaks it.
pub(crate) const RAFT: &str = "raft";

/// A listener on this machine and where in the lab its connections go.
pub(crate) type Forward = (TcpListener, SocketAddr);

/// Hosts in the order of the status table, with a free port on this machine for each of their services.
pub(crate) fn hosts(config: &Config, spec: &LabSpec) -> Result<(Vec<HostPlan>, Vec<Forward>), Failure> {
    let mut forwards = Vec::new();
    let mut hosts = Vec::new();
    for host in &spec.hosts {
        let (role, services) = services(config, host);
        let mut ports = BTreeMap::new();
        for (service, port) in services.into_iter().filter(|(service, _)| *service != RAFT) {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| {
                Failure::failed(format!("no free port on 127.0.0.1 for {}: {error}", host.name))
            })?;
            ports.insert(service.to_owned(), listener.local_addr()?.to_string());
            forwards.push((listener, SocketAddr::V4(SocketAddrV4::new(host.address, port))));
        }
        let (name, cloud, address) = (host.name.clone(), host.cloud.clone(), host.address);
        hosts.push(HostPlan { name, role, cloud, address, ports });
    }
    Ok((hosts, forwards))
}

/// The role of a host and its services.
pub(crate) fn services(config: &Config, host: &HostSpec) -> (&'static str, Vec<(&'static str, u16)>) {
    if let Some(node) = config.node(&host.name) {
        ("node", vec![(RAFT, node.raft_port), ("grpc", node.grpc_port), ("http", node.http_port)])
    } else if let Some(worker) = config.worker(&host.name) {
        ("worker", vec![("http", worker.http_port)])
    } else if host.name == OBJECT_STORE {
        ("object-store", vec![("s3", config.storage.port)])
    } else {
        ("operator", Vec::new())
    }
}

/// The programs in the order of starting: the object store, nodes, workers. What they share stands once, here; which
/// file a host's process reads its configuration from says `config_file`. `of_nodes` runs in place of this binary for the
/// nodes, with the same arguments.
pub(crate) fn programs(
    config: &Config,
    folder: &Folder,
    config_file: impl Fn(&str) -> PathBuf,
    of_nodes: Option<&Path>,
) -> Vec<Program> {
    let certs = folder.certs().display().to_string();
    let credentials = folder.credentials().display().to_string();
    let program = |host: &str, args: &[&str]| Program {
        host: host.to_owned(),
        instead: config.node(host).and(of_nodes).map(Path::to_owned),
        args: args
            .iter()
            .copied()
            .chain(["--config", &config_file(host).display().to_string()])
            .map(str::to_owned)
            .collect(),
        log: folder.log(host),
    };
    let data = |host: &str| folder.data(host).display().to_string();
    let mut programs = vec![program(OBJECT_STORE, &["object-store", "--data-dir", &data(OBJECT_STORE)])];
    programs.extend(config.nodes.iter().map(|node| {
        let data = data(&node.name);
        program(&node.name, &["node", "run", "--name", &node.name, "--certs", &certs, "--data-dir", &data])
    }));
    programs.extend(config.workers.iter().map(|worker| {
        let name = &worker.name;
        program(name, &["worker", "run", "--name", name, "--certs", &certs, "--credentials", &credentials])
    }));
    programs
}
