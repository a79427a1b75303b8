//! DEP-4: `farquorum rollout` on real processes. Writers write during the whole rollout; a command that breaks a node is
//! undone; a cluster that is not fit is refused; jobs run on while workers are updated.
//!
//! One simulation at a time (see `lab`).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code; Clippy takes only the test functions themselves for it"
)]

mod interrupted;
#[path = "../lab/mod.rs"]
mod lab;
mod plans;
mod rolls_back;
mod workers;
mod writers;

use std::future::Future;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use lab::{BINARY, Sim};

/// Runs a test's work; two threads, since clients and the simulation share the machine.
fn run(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(work);
}

/// `farquorum rollout VERB` with these arguments.
fn rollout(sim: &Sim, args: &[&str]) -> Command {
    sim.command(&[&["rollout"], args].concat())
}

/// A program of the test's own that updates a host of this simulation: a shell script, whose `$1` is the host and `$SIM`
/// the binary with the simulation's name. Gives its path.
fn script(sim: &Sim, name: &str, text: &str) -> String {
    let start = format!("#!/bin/sh\nset -e\nSIM=\"{BINARY} sim --name {}\"\n", sim.name);
    let path = lab::file(&sim.lab, name, start + text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}
