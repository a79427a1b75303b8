//! The command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use farquorum_config::{Environment, Sources};

use crate::commands;
use crate::output::Format;
use crate::sim::SimArgs;

/// One Raft control plane across clouds, that can be measured on a laptop before it is paid for.
///
/// Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 not available, 4 refused, 5 inconclusive,
/// 130 interrupted (Ctrl-C, SIGTERM, terminal closed).
#[derive(Debug, Parser)]
#[command(name = "farquorum", version, max_term_width = 110)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Heading of the options that every command takes, below its own.
const EVERYWHERE: &str = "Options of every command";

/// Longest time of one call without `--timeout`.
const CALL_MAX: std::time::Duration = std::time::Duration::from_secs(10);

/// Options of every command.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(crate) struct Global {
    /// The cluster to talk to: a context file, or a name that `context list` knows; without it, the context in use,
    /// else the running simulation
    #[arg(long, global = true, help_heading = EVERYWHERE, env = "FARQUORUM_CONTEXT", value_name = "NAME|FILE", hide_env_values = true)]
    pub(crate) context: Option<PathBuf>,
    /// How data is printed
    #[arg(short, long = "format", value_name = "FORMAT", global = true, help_heading = EVERYWHERE, value_enum, default_value_t)]
    pub(crate) output: Format,
    /// Configuration file; without it ./farquorum.toml, and without that the built-in one
    #[arg(long, global = true, help_heading = EVERYWHERE, env = "FARQUORUM_CONFIG", value_name = "FILE", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
    /// Set one key of the configuration, as TOML (repeatable): --set raft.heartbeat_ms=50
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) set: Vec<(String, String)>,
    /// Give up a call to the cluster after this many seconds [default: 10]
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<f64>,
}

impl Global {
    /// Where the configuration comes from: file, environment, flags.
    pub(crate) fn sources(&self) -> Sources {
        let here = PathBuf::from("farquorum.toml");
        let file = self.config.clone().or_else(|| here.exists().then_some(here));
        Sources {
            file,
            environment: Environment::process(),
            overrides: self.set.clone(),
            ..Sources::default()
        }
    }

    /// Longest time of one call.
    pub(crate) fn deadline(&self) -> std::time::Duration {
        self.limit().unwrap_or(CALL_MAX)
    }

    /// What `--timeout` says, if it was given.
    pub(crate) fn limit(&self) -> Option<std::time::Duration> {
        self.timeout.map(std::time::Duration::from_secs_f64)
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("must be KEY=VALUE, such as raft.heartbeat_ms=50")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

/// A number of seconds as a flag gives it.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    let wrong = || format!("{text:?} is not a number of seconds from 0.001 to 3600");
    let value: f64 = text.parse().map_err(|_| wrong())?;
    if (0.001..=3600.0).contains(&value) { Ok(value) } else { Err(wrong()) }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Who leads, round trips, indexes, counts
    Status,
    /// The linearizable key-value store
    Kv(commands::kv::KvArgs),
    /// Workers: list them, or run one
    Worker(commands::worker::WorkerArgs),
    /// Single tasks
    Task(commands::task::TaskArgs),
    /// Map/reduce jobs over object storage
    Job(commands::job::JobArgs),
    /// Hand leadership to another node
    Transfer(commands::transfer::TransferArgs),
    /// Update the hosts one after another while the cluster serves
    Rollout(commands::rollout::RolloutArgs),
    /// Object storage: check that it does what jobs rely on, list and read objects
    Storage(commands::storage::StorageArgs),
    /// The configuration: check, show, explain
    Config(commands::config::ConfigArgs),
    /// The clusters that this machine knows: import, list, use, show
    Context(commands::context::ContextArgs),
    /// What Terraform, compose and firewalls need, from farquorum.toml
    Render(commands::render::RenderArgs),
    /// Whether one node or worker serves, for the HEALTHCHECK of a container
    Health(commands::health::HealthArgs),
    /// Authorities and certificates
    Certs(commands::certs::CertsArgs),
    /// Look for what goes wrong most often on this host, each with what to do
    Doctor(commands::doctor::DoctorArgs),
    /// The local simulation
    Sim(SimArgs),
    /// Record round trips and what they cost, to compare a simulation with a real deployment
    ///
    /// All but `--only rtt` writes to the key-value store, to at most 132 keys below `measure/`, which are deleted at the
    /// end, also after Ctrl-C. A simulation's nodes are killed for `election`.
    Measure(commands::measure::MeasureArgs),
    /// Measure this build and print the figures
    Bench(commands::bench::BenchArgs),
    /// Whether two recordings show the same network: exit code 0 they do, 1 they do not, 5 the samples cannot tell
    Compare(commands::compare::CompareArgs),
    /// Links for the configuration that reproduce recorded round trips
    Fit(commands::fit::FitArgs),
    /// A real job across three emulated clouds that loses its leader half way
    Demo(commands::demo::DemoArgs),
    /// Run a control-plane node
    Node(commands::node::NodeArgs),
    /// Shape what passes between the networks of containers, as their router
    Gateway(commands::gateway::GatewayArgs),
    /// Echo requests to hosts of the configuration, and whether the times are as configured
    Ping(commands::ping::PingArgs),
    /// Run the simulation's S3 server
    #[command(hide = true)]
    ObjectStore(commands::object_store::ObjectStoreArgs),
}
