//! `sim up --node-program`: another program runs the nodes, and what acts on a host's process reaches all that this
//! program started.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use crate::lab::machine::processes_with;
use crate::lab::ran::run;
use crate::lab::{BINARY, Lab, Sim, file};

#[test]
fn a_kill_reaches_what_the_program_started() {
    let Some(lab) = Lab::enter() else { return };
    // As one that starts a machine: it waits for what it started.
    let program = lab.state.path().join("node");
    file(&lab, "node", format!("#!/bin/sh\n{BINARY} \"$@\" &\nwait\n"));
    set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let sim = lab.up(&["--node-program", &program.display().to_string()]);

    // The shell is none of these.
    let before = processes_with(lab.state.path()).len();
    let await_count = |count: usize| {
        let until = Instant::now() + Duration::from_secs(30);
        while processes_with(lab.state.path()).len() != count {
            assert!(Instant::now() < until, "{:?}, not {count}", processes_with(lab.state.path()));
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    run(sim.command(&["sim", "kill", "cp-gcp-1"])).ok();
    await_count(before - 1);

    // It starts again as it was started first, and the self-test needs none of the nodes' hosts.
    run(sim.command(&["sim", "restart", "cp-gcp-1"])).ok();
    await_count(before);
    run(sim.command(&["kv", "set", "after", "kill"])).ok();
    run(sim.command(&["sim", "check"])).ok();
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let Some(lab) = Lab::enter() else { return };
    let sim: Sim = lab.adopt("absent");
    run(sim.command(&["sim", "up", "--node-program", "/no/such/program"]))
        .code(1)
        .says(&["cannot start cp-aws-1", "/no/such/program"]);
    run(sim.command(&["sim", "up", "--no-cluster", "--node-program", "/bin/true"])).code(2);
}
