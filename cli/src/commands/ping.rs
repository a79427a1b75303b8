//! `farquorum ping`: echo requests from this host to the others of the configuration, and whether the times are as the
//! links say. In a container it is the way to look at the network from inside: there is no other program.

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use farquorum_config::{Config, LinkShape};
use farquorum_netem::lab::OBJECT_STORE;
use farquorum_netem::ping::{PingOptions, ping};
use serde::Serialize;

use super::config::loaded;
use crate::args::Global;
use crate::failure::Failure;
use crate::host_name::host_name;
use crate::output::{self, Show, rows};

/// How much faster than configured an answer may seem: clocks and rounding. Anything more came by another way.
const FASTER_MS: f64 = 0.3;

/// Longest wait for one answer; --timeout makes it shorter.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);
/// Time from one request to the next, at least.
const INTERVAL: Duration = Duration::from_millis(20);

/// `farquorum ping`
#[derive(Debug, Args)]
pub(crate) struct PingArgs {
    /// Hosts of the configuration to ask; without them, every other one
    hosts: Vec<String>,
    /// Host of the configuration that this is; without it, the one that this machine is called
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
    /// Requests to each host
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    count: u16,
    /// How much longer than configured the median may be, ms
    #[arg(long, value_name = "MS", default_value_t = 3.0)]
    slower_ms: f64,
}

/// A host of the configuration.
struct Host {
    name: String,
    cloud: String,
    address: IpAddr,
}

#[derive(Serialize)]
struct Row {
    host: String,
    cloud: String,
    configured_ms: f64,
    /// Median; none when nothing came back.
    measured_ms: Option<f64>,
    sent: u16,
    received: usize,
    ok: bool,
}

#[derive(Serialize)]
struct Rows {
    from: String,
    hosts: Vec<Row>,
}

impl Show for Rows {
    fn table(&self) -> String {
        let row = |row: &Row| {
            [
                row.host.clone(),
                row.cloud.clone(),
                format!("{:.1}", row.configured_ms),
                row.measured_ms.map_or("-".to_owned(), |ms| format!("{ms:.1}")),
                format!("{}/{}", row.received, row.sent),
                if row.ok { "ok" } else { "OFF" }.to_owned(),
            ]
        };
        rows(["HOST", "CLOUD", "CONFIGURED MS", "RTT MS", "ANSWERS", ""], self.hosts.iter().map(row))
    }
}

/// Asks one host after another; exit code 1 when one of them is not as configured.
pub(crate) fn run(global: &Global, args: &PingArgs) -> Result<ExitCode, Failure> {
    let config = loaded(global)?.config;
    let hosts = hosts(&config);
    let from = match &args.from {
        Some(name) => name.clone(),
        None => host_name().map_err(|failure| failure.hint("farquorum ping --from NAME"))?,
    };
    let cloud =
        host(&hosts, &from).map_err(|failure| failure.hint("farquorum ping --from NAME"))?.cloud.clone();
    let asked: Vec<&Host> = match args.hosts.as_slice() {
        [] => hosts.iter().filter(|other| other.name != from).collect(),
        names => names.iter().map(|name| host(&hosts, name)).collect::<Result<_, _>>()?,
    };
    let mut out = Vec::with_capacity(asked.len());
    for host in asked {
        out.push(ask(&config, &cloud, host, args, global.deadline())?);
    }
    let ok = out.iter().all(|row| row.ok);
    output::print(global.output, &Rows { from, hosts: out })?;
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn hosts(config: &Config) -> Vec<Host> {
    let nodes = config.nodes.iter().map(|node| (&node.name, &node.cloud, &node.address));
    let workers = config.workers.iter().map(|worker| (&worker.name, &worker.cloud, &worker.address));
    let store_name = OBJECT_STORE.to_owned();
    let store = (&store_name, &config.storage.cloud, &config.storage.address);
    nodes
        .chain(workers)
        .chain([store])
        .filter_map(|(name, cloud, address)| {
            // A name in place of an address: another deployment, whose network is nobody's to check here.
            Some(Host { name: name.clone(), cloud: cloud.clone(), address: address.parse().ok()? })
        })
        .collect()
}

fn host<'a>(hosts: &'a [Host], name: &str) -> Result<&'a Host, Failure> {
    hosts.iter().find(|host| host.name == name).ok_or_else(|| {
        let known: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
        Failure::usage(format!("no host with an address is called {name:?}; there are {}", known.join(", ")))
    })
}

fn ask(
    config: &Config,
    cloud: &str,
    host: &Host,
    args: &PingArgs,
    deadline: Duration,
) -> Result<Row, Failure> {
    let one_way = |from: &str, to: &str| config.link(from, to).map_or(0.0, LinkShape::median_delay_ms);
    let configured_ms = one_way(cloud, &host.cloud) + one_way(&host.cloud, cloud);
    let timeout = ANSWER_TIME_MAX.min(deadline);
    let options = PingOptions { count: args.count, interval: INTERVAL, timeout };
    let answers = ping(host.address, options, |_, _| {})
        .map_err(|error| Failure::failed(format!("cannot ping {} ({}): {error}", host.name, host.address)))?;
    let mut answered: Vec<f64> = answers.iter().flatten().map(|rtt| rtt.as_secs_f64() * 1e3).collect();
    answered.sort_by(f64::total_cmp);
    let measured_ms = answered.get(answered.len() / 2).copied();
    let ok = measured_ms.is_some_and(|ms| as_configured(ms, configured_ms, args.slower_ms));
    Ok(Row {
        host: host.name.clone(),
        cloud: host.cloud.clone(),
        configured_ms,
        measured_ms,
        sent: args.count,
        received: answered.len(),
        ok,
    })
}

fn as_configured(measured_ms: f64, configured_ms: f64, slower_ms: f64) -> bool {
    (configured_ms - FASTER_MS..=configured_ms + slower_ms).contains(&measured_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_fast_is_as_wrong_as_too_slow() {
        for (measured, ok) in
            [(50.0, true), (49.8, true), (52.9, true), (49.6, false), (0.2, false), (53.1, false)]
        {
            assert_eq!(as_configured(measured, 50.0, 3.0), ok, "{measured}");
        }
    }
}
