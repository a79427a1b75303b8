//! Under what it is measured: the dimensions of a record, and whether the lab kept its times.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::SystemTime;

use farquorum_baseline::{Cloud, Dimensions, Record, rfc3339};
use farquorum_config::{Loaded, Sources};
use farquorum_proto::v1::NodeStatus;
use sha2::{Digest as _, Sha256};

use crate::args::Global;
use crate::commands::cluster::Connection;
use crate::failure::{Failure, Kind};
use crate::sim::{self, Request, Response, SimStatus, Watch};

/// The simulation that runs the cluster.
#[derive(Clone, Debug)]
pub(super) struct Lab {
    /// Its control socket.
    pub(super) control: PathBuf,
}

impl Lab {
    /// The one that the context names.
    pub(super) fn of(connection: &Connection) -> Option<Self> {
        connection.context.sim.as_ref().map(|sim| Self { control: sim.control.clone() })
    }

    /// What its supervisor knows.
    pub(super) fn status(&self) -> Result<SimStatus, Failure> {
        match sim::ask(&self.control, &Request::Status)? {
            Response::Status(status) => Ok(*status),
            _ => Err(Failure::failed("the simulation's supervisor answered something else")),
        }
    }

    /// Cloud of the host from which commands reach the cluster.
    pub(super) fn operator_cloud(&self) -> Result<Option<String>, Failure> {
        let hosts = self.status()?.hosts.into_iter();
        Ok(hosts.filter(|host| host.role == "operator").map(|host| host.cloud).next())
    }

    /// Begins a period for [`Self::judge`].
    pub(super) fn watch(&self) -> Result<Watch, Failure> {
        Watch::begin(&self.control)
    }

    /// Ends it: says in the record why it is not to be trusted, and what nobody knows.
    pub(super) fn judge(&self, watch: &Watch, record: &mut Record) -> Result<(), Failure> {
        let watched = watch.end(&self.control)?;
        if !watched.lateness_known {
            record.dimensions.more.insert("lateness".to_owned(), "not known".to_owned());
        }
        record.invalid.extend(watched.doubts);
        let changed = changed(&self.status()?);
        if record.dimensions.more.get(LINKS_CHANGED) != changed.as_ref() {
            let now = changed.as_deref().unwrap_or("none");
            record
                .invalid
                .push(format!("links were changed while it was measured; changed at the end: {now}"));
        }
        Ok(())
    }
}

/// The dimension that says what was changed on the links of a running simulation.
const LINKS_CHANGED: &str = "links_changed";

/// What was changed, as a dimension's value; none when nothing was.
fn changed(status: &SimStatus) -> Option<String> {
    (!status.links_changed.is_empty()).then(|| status.links_changed.join("; "))
}

/// Looks at everything that a record says of where it was made. All nodes must answer.
pub(super) async fn dimensions(
    global: &Global,
    connection: &Connection,
    lab: Option<&Lab>,
) -> Result<Dimensions, Failure> {
    let nodes = all(connection).await?;
    let distinct = |value: fn(&NodeStatus) -> &str| {
        let values: BTreeSet<&str> = nodes.iter().map(value).filter(|value| !value.is_empty()).collect();
        values.into_iter().collect::<Vec<_>>().join(", ")
    };
    let processors = nodes.iter().map(|node| node.processors).min().unwrap_or_default();
    let mut clouds: Vec<Cloud> = Vec::new();
    for node in &nodes {
        if !clouds.iter().any(|cloud| cloud.label == node.cloud) {
            // All clouds of a simulation are this machine: that is no difference between them.
            let instance_type = if lab.is_some() { String::new() } else { node.machine.clone() };
            clouds.push(Cloud { label: node.cloud.clone(), region: node.region.clone(), instance_type });
        }
    }
    let mut dimensions = Dimensions {
        when: rfc3339(SystemTime::now()),
        version: distinct(|node| &node.version),
        kernel: distinct(|node| &node.kernel),
        processors: usize::try_from(processors).unwrap_or(usize::MAX),
        backend: "real network".to_owned(),
        clouds,
        ..Dimensions::default()
    };
    dimensions.config_sha256 = configuration(global, lab)?.map(|loaded| digest(&loaded)).unwrap_or_default();
    if let Some(lab) = lab {
        let status = lab.status()?;
        dimensions.more.extend(changed(&status).map(|changed| (LINKS_CHANGED.to_owned(), changed)));
        dimensions.backend = status.backend;
        dimensions.preset = status.preset;
    }
    Ok(dimensions)
}

async fn all(connection: &Connection) -> Result<Vec<NodeStatus>, Failure> {
    let mut nodes = Vec::new();
    for (name, status) in connection.statuses().await {
        nodes.push(status.map_err(|error| {
            Failure::new(Kind::NotAvailable, format!("{name} does not answer: {}", error.why))
                .hint("farquorum status shows every node; all of them are measured")
        })?);
    }
    Ok(nodes)
}

/// The configuration of the simulation, or the one that was named for a real deployment.
fn configuration(global: &Global, lab: Option<&Lab>) -> Result<Option<Loaded>, Failure> {
    let sources = match lab {
        Some(lab) => {
            Sources { file: Some(lab.control.with_file_name("farquorum.toml")), ..Sources::default() }
        }
        None if global.config.is_some() => global.sources(),
        None => return Ok(None),
    };
    farquorum_config::load(&sources).map(Some).map_err(Failure::usage)
}

/// SHA-256 of all effective values; where each came from, which follows as a comment, is no part of it.
fn digest(loaded: &Loaded) -> String {
    let text = loaded.to_toml();
    let values = text.lines().map(|line| line.split_once("  # ").map_or(line, |(value, _)| value));
    let mut hash = Sha256::new();
    values.for_each(|value| hash.update(format!("{value}\n")));
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_of_values_and_not_of_where_they_came_from() {
        let load = |overrides: &[(&str, &str)]| {
            let overrides = overrides.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            let sources = Sources { overrides: overrides.collect(), ..Sources::default() };
            digest(&farquorum_config::load(&sources).unwrap())
        };
        let default = farquorum_config::load(&Sources::default()).unwrap().config.raft.heartbeat.as_millis();
        let same = default.to_string();
        assert_eq!(load(&[]), load(&[("raft.heartbeat_ms", &same)]));
        assert_ne!(load(&[]), load(&[("tasks.lease_ms", "16000")]));
    }
}
