//! `sim up --node-program`: another program runs the nodes, and what acts on a host's process reaches all that this
//! program started.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use crate::lab::machine::processes_with;
use crate::lab::ran::run;
use crate::lab::{BINARY, Lab, Sim, file};
use crate::remains::settled;

#[test]
fn a_kill_reaches_what_the_program_started() {
    let Some(lab) = Lab::enter() else { return };
    // As one that starts a machine: it waits for what it started. It does not heed that it is asked to stop.
    let program = lab.state.path().join("node");
    file(&lab, "node", format!("#!/bin/sh\ntrap '' TERM\n{BINARY} \"$@\" &\nwait\n"));
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
    others_do_not_wait_for_a_restart(&sim);
}

/// It takes half a minute: meanwhile the simulation answers, and is stopped.
fn others_do_not_wait_for_a_restart(sim: &Sim) {
    let state = || {
        let status = sim.json(&["sim", "status"]);
        let hosts = status["hosts"].as_array().unwrap();
        hosts.iter().find(|host| host["name"] == "cp-gcp-1").unwrap()["state"].as_str().unwrap().to_owned()
    };
    let restart = || {
        let mut restart = sim.command(&["sim", "restart", "cp-gcp-1"]).spawn().unwrap();
        assert_eq!(settled(state, |state| state == "restarting"), "restarting");
        assert!(restart.try_wait().unwrap().is_none(), "status waited for the restart");
        restart
    };
    let mut first = restart();
    for verb in ["restart", "pause"] {
        let said = "cp-gcp-1 is being restarted; farquorum sim kill cp-gcp-1 cuts that short";
        run(sim.command(&["sim", verb, "cp-gcp-1"])).code(2).says(&[said]);
    }
    run(sim.command(&["sim", "kill", "cp-azure-1"])).ok();
    assert!(first.try_wait().unwrap().is_none(), "kill waited for the restart");
    run(sim.command(&["sim", "kill", "cp-gcp-1"])).ok();
    assert!(first.wait().unwrap().success());
    assert_eq!(state(), "running");

    let mut second = restart();
    let begun = Instant::now();
    sim.down(true);
    // Half of what the restart may take: the other half is this machine's.
    assert!(begun.elapsed() < Duration::from_secs(15), "down waited for the restart: {:?}", begun.elapsed());
    assert!(!second.wait().unwrap().success());
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
