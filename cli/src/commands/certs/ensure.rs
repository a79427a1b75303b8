//! What the simulation makes for itself.

use std::path::Path;

use farquorum_config::{Config, Node};
use farquorum_tls::{AuthorityKind, IssueRequest, Layout, Role};

use super::ADMIN;
use crate::failure::Failure;

/// Validity in days of the simulation's certificates: nobody renews a simulation.
const SIM_DAYS: u32 = 825;

/// The simulation's authorities, made when they are missing.
fn ensure_authorities(dir: &Path, cluster: &str) -> Result<(), Failure> {
    if Layout::new(dir).authority_certificate(AuthorityKind::Peer).exists() {
        return Ok(());
    }
    farquorum_tls::init(dir, cluster).map_err(Failure::failed)
}

/// A node's certificate, made when it is missing.
fn ensure_node(dir: &Path, node: &Node) -> Result<(), Failure> {
    ensure(dir, Role::Node, &node.name, std::slice::from_ref(&node.address))
}

/// Certificates of everybody in the configuration and of the operator, made when they are missing.
pub(crate) fn ensure_all(dir: &Path, config: &Config) -> Result<(), Failure> {
    ensure_authorities(dir, &config.cluster.name)?;
    config.nodes.iter().try_for_each(|node| ensure_node(dir, node))?;
    config.workers.iter().try_for_each(|worker| ensure(dir, Role::Worker, &worker.name, &[]))?;
    ensure(dir, Role::Admin, ADMIN, &[])
}

fn ensure(dir: &Path, role: Role, name: &str, sans: &[String]) -> Result<(), Failure> {
    if Layout::new(dir).certificate(name).exists() {
        return Ok(());
    }
    let request = IssueRequest { role, name, sans, days: SIM_DAYS, force: false };
    farquorum_tls::issue(dir, &request).map(|_| ()).map_err(Failure::failed)
}
