//! The binary: one file per subcommand, each a thin layer over the crate that does the work.
//!
//! `main` stays without threads and without an async runtime: `sim up` forks and enters namespaces, which only a
//! single-threaded process may. Every other subcommand makes the runtime that it needs.

mod args;
mod commands;
mod failure;
mod host_name;
mod logging;
mod notify;
mod output;
mod paths;
mod runtime;
mod sim;
mod yaml;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    let args = Args::parse();
    match run(args) {
        Ok(code) => code,
        Err(failure) => {
            failure.print();
            failure.exit_code()
        }
    }
}

fn run(args: Args) -> Result<ExitCode, Failure> {
    let global = args.global;
    match args.command {
        // Forks: no runtime before.
        Command::Sim(command) => sim::run(&global, command),
        Command::Bench(command) => commands::bench::run(&global, &command),
        Command::Fit(command) => commands::fit::run(&global, &command),
        Command::Demo(command) => commands::demo::run(&global, &command),
        other => commands::run(&global, other),
    }
}
