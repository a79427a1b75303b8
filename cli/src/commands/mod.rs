//! One file per subcommand.

pub(crate) mod bench;
pub(crate) mod certs;
pub(crate) mod cluster;
pub(crate) mod compare;
pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod demo;
pub(crate) mod demo_writer;
pub(crate) mod doctor;
pub(crate) mod fit;
pub(crate) mod gateway;
mod gateway_metrics;
pub(crate) mod health;
pub(crate) mod job;
pub(crate) mod job_view;
pub(crate) mod job_watch;
pub(crate) mod kv;
pub(crate) mod measure;
pub(crate) mod node;
pub(crate) mod object_store;
pub(crate) mod ping;
pub(crate) mod reference;
pub(crate) mod render;
pub(crate) mod rollout;
pub(crate) mod status;
pub(crate) mod storage;
mod storage_get;
mod storage_list;
mod storage_workers;
pub(crate) mod task;
pub(crate) mod transfer;
pub(crate) mod worker;

use std::process::ExitCode;

use crate::args::{Command, Global};
use crate::failure::Failure;

/// Runs a command that needs no fork.
pub(crate) fn run(global: &Global, command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Status => status::run(global),
        Command::Measure(args) => measure::run(global, &args),
        Command::Kv(args) => kv::run(global, args),
        Command::Worker(args) => worker::run(global, args),
        Command::Task(args) => task::run(global, args),
        Command::Job(args) => job::run(global, args),
        Command::Transfer(args) => transfer::run(global, &args),
        Command::Storage(args) => storage::run(global, &args),
        Command::Compare(args) => compare::run(global, &args),
        Command::Config(args) => config::run(global, &args),
        Command::Certs(args) => certs::run(global, &args),
        Command::Doctor(args) => doctor::run(global, &args),
        Command::Context(args) => context::run(global, &args),
        Command::Health(args) => health::run(global, &args),
        Command::Render(args) => render::run(global, &args),
        Command::Rollout(args) => rollout::run(global, &args),
        Command::Node(args) => node::run(global, args),
        Command::Gateway(args) => gateway::run(global, &args),
        Command::Ping(args) => ping::run(global, &args),
        Command::ObjectStore(args) => object_store::run(global, &args),
        Command::Sim(_) | Command::Demo(_) | Command::Bench(_) | Command::Fit(_) => {
            Err(Failure::failed("this command forks and is run by main"))
        }
    }
}
