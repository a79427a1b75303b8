//! The relays' ways for the self-test: from the first host of every cloud to that of every other, and, to measure the
//! emulator's own time, from a second host of a cloud to its first.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};

use super::{Door, Route};
use crate::error::{Doing, LabError};
use crate::lab::{HostSpec, LabSpec};

/// Port of the echo service (RFC 862), on which no host of a simulation listens.
pub(crate) const PORT: u16 = 7;

/// The first host of each cloud.
pub(crate) fn first_hosts(spec: &LabSpec) -> BTreeMap<&str, &HostSpec> {
    spec.hosts.iter().rev().map(|host| (host.cloud.as_str(), host)).collect()
}

/// A host that is not the first of its cloud, and that first one.
pub(crate) fn neighbours(spec: &LabSpec) -> Option<(&HostSpec, &HostSpec)> {
    let first = first_hosts(spec);
    spec.hosts.iter().find_map(|host| {
        let other = first.get(host.cloud.as_str()).copied()?;
        (other != host).then_some((host, other))
    })
}

/// The service, which nobody serves yet, and the doors to it.
pub(super) fn doors(spec: &LabSpec) -> Result<(TcpListener, Vec<Door>), LabError> {
    let doing = || "bind the self-test's service".to_string();
    let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing(doing)?;
    echo.set_nonblocking(true).doing(doing)?;
    let target = echo.local_addr().doing(doing)?;
    let first = first_hosts(spec);
    let between = first.values().flat_map(|from| {
        let others = first.values().filter(move |to| to.cloud != from.cloud);
        others.map(move |to| (*from, *to))
    });
    let door = |(from, to): (&HostSpec, &HostSpec)| {
        Door::bind(Route { from: from.name.clone(), to: to.name.clone(), port: PORT, target })
    };
    let doors = between.chain(neighbours(spec)).map(door).collect::<Result<Vec<_>, _>>()?;
    Ok((echo, doors))
}
