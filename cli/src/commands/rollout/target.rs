//! Which hosts are updated, and by which commands: from the context, the configuration and the flags.

use farquorum_config::{CommandHost, Config, HostCommand};

use super::Options;
use super::order::Kind;
use crate::commands::cluster::Connection;
use crate::failure::Failure;
use crate::output::say_aside;

/// A host and what is run for it.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Its name.
    pub(super) name: String,
    /// What it is.
    pub(super) kind: Kind,
    /// Label of its cloud.
    pub(super) cloud: String,
    /// By which it is reached.
    pub(super) address: String,
    /// Updates it: a program and its arguments.
    pub(super) update: Vec<String>,
    /// Brings it back; none when nothing shall.
    pub(super) rollback: Option<Vec<String>>,
}

/// The commands of all hosts.
struct Commands {
    update: HostCommand,
    rollback: Option<HostCommand>,
}

/// The hosts that the flags name, else every node of the context; with `workers`, every worker that the cluster knows.
pub(super) async fn targets(
    connection: &Connection,
    config: &Config,
    options: &Options,
) -> Result<Vec<Target>, Failure> {
    let commands = commands(connection, config, options)?;
    let mut all = nodes(connection, config);
    if options.workers || options.hosts.iter().any(|name| !all.iter().any(|(host, ..)| host == name)) {
        let known = connection.cluster.workers().list().await?.workers;
        all.extend(known.into_iter().map(|worker| {
            let configured = config.worker(&worker.id).map(|worker| worker.address.clone());
            let address = configured.unwrap_or_else(|| without_port(&worker.address));
            (worker.id, Kind::Worker, worker.cloud, address)
        }));
    }
    for (place, name) in options.hosts.iter().enumerate() {
        if !all.iter().any(|(host, ..)| host == name) {
            let known = farquorum_config::known(name, all.iter().map(|(host, ..)| host));
            return Err(Failure::usage(format!("no node and no worker is called {name:?}; {known}")));
        }
        if options.hosts.iter().take(place).any(|earlier| earlier == name) {
            return Err(Failure::usage(format!("{name} is named twice")));
        }
    }
    let asked = |name: &String, kind: Kind| match options.hosts.as_slice() {
        [] => kind == Kind::Node || options.workers,
        hosts => hosts.contains(name) || (kind == Kind::Worker && options.workers),
    };
    all.retain(|(name, kind, ..)| asked(name, *kind));
    Ok(all.into_iter().map(|host| target(host, &commands)).collect())
}

fn target((name, kind, cloud, address): (String, Kind, String, String), commands: &Commands) -> Target {
    let host = CommandHost { name: &name, address: &address, cloud: &cloud };
    let update = commands.update.of(host);
    let rollback = commands.rollback.as_ref().map(|command| command.of(host));
    Target { name, kind, cloud, address, update, rollback }
}

/// Addresses are those of the configuration: what the context has may be a forwarded port.
fn nodes(connection: &Connection, config: &Config) -> Vec<(String, Kind, String, String)> {
    let node = |node: &farquorum_client::ContextNode| {
        let configured = config.node(&node.name).map(|node| node.address.clone());
        let address = configured.unwrap_or_else(|| without_port(&node.grpc));
        (node.name.clone(), Kind::Node, node.cloud.clone(), address)
    };
    connection.context.nodes.iter().map(node).collect()
}

fn without_port(address: &str) -> String {
    address.rsplit_once(':').map_or(address, |(host, _)| host).to_owned()
}

/// Flags, else a simulation's own restart, else the configuration. The configuration's commands are for what it deploys:
/// against a simulation of it they would reach the real hosts, while the simulated ones are looked at.
fn commands(connection: &Connection, config: &Config, options: &Options) -> Result<Commands, Failure> {
    let flags =
        (flag("--update", options.update.as_deref())?, flag("--rollback", options.rollback.as_deref())?);
    let set = (config.rollout.update.clone(), config.rollout.rollback.clone());
    let simulation = connection.context.sim.as_ref().map(|sim| restart_in(&sim.name)).transpose()?;
    let (update, rollback) = match simulation {
        Some(restart) => {
            if set.0.is_some() && flags.0.is_none() {
                say_aside("note: this is a simulation: its own restart is run in place of rollout.update");
            }
            (flags.0.or_else(|| Some(restart.clone())), flags.1.or(Some(restart)))
        }
        None => {
            if flags.0.is_none() && set.0.is_some() {
                same_cluster(connection, config)?;
            }
            (flags.0.or(set.0), flags.1.or(set.1))
        }
    };
    let update = update.ok_or_else(|| {
        Failure::usage("no command updates a host: neither --update nor rollout.update is set").hint(
            "farquorum config explain rollout.update; commands for NixOS and containers: docs/deployment.md",
        )
    })?;
    if rollback.is_none() && !options.no_rollback {
        let why =
            "no command brings back what a host ran before: neither --rollback nor rollout.rollback is set";
        return Err(Failure::usage(why).hint(
            "farquorum config explain rollout.rollback; --no-rollback leaves a host that fails as it is",
        ));
    }
    Ok(Commands { update, rollback: rollback.filter(|_| !options.no_rollback) })
}

/// The commands of one deployment are not run for another.
fn same_cluster(connection: &Connection, config: &Config) -> Result<(), Failure> {
    let (ours, theirs) = (&config.cluster.name, &connection.context.cluster);
    if ours == theirs {
        return Ok(());
    }
    let why = format!("rollout.update is of cluster {ours:?}, and the context leads to cluster {theirs:?}");
    Err(Failure::usage(why).hint("--config FILE, or --context NAME"))
}

/// A command as one text, taken apart as a shell would, without anything else that a shell does.
fn flag(flag: &str, text: Option<&str>) -> Result<Option<HostCommand>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let wrong = |why: &dyn std::fmt::Display| Failure::usage(format!("{flag} {text:?}: {why}"));
    let argv = shlex::split(text).ok_or_else(|| wrong(&"a quote is not closed"))?;
    HostCommand::new(&argv).map(Some).map_err(|bad| wrong(&bad))
}

fn restart_in(simulation: &str) -> Result<HostCommand, Failure> {
    let this = std::env::current_exe()?.display().to_string().replace('{', "{{").replace('}', "}}");
    let argv = [&this, "sim", "--name", simulation, "restart", "{name}"].map(str::to_owned);
    HostCommand::new(&argv).map_err(Failure::failed)
}
