//! SIM-3: a simulation that ended, however it ended, leaves nothing behind but its data folder.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::lab::machine::{self, Traces, signal};
use crate::lab::terminal::{Stop, Terminal, was_interrupted};
use crate::lab::{Lab, Sim};

/// Looks until nothing of a simulation is left, or the limit is reached; gives the last look.
fn settled(lab: &Lab, ports: &[String], clean: impl Fn(&Traces) -> bool) -> Traces {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let traces = Traces::of(lab.state.path(), ports);
        if clean(&traces) || Instant::now() > until {
            return traces;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Addresses on this machine that lead into the simulation.
fn ports(sim: &Sim) -> Vec<String> {
    let status = sim.json(&["sim", "status"]);
    let hosts = status["hosts"].as_array().unwrap();
    let ports = hosts.iter().flat_map(|host| host["ports"].as_object().unwrap().values());
    ports.map(|port| port.as_str().unwrap().to_owned()).collect()
}

/// What a running simulation of three nodes, four workers and an object store looks like.
fn is_there(traces: &Traces, ports: &[String]) {
    assert!(traces.processes.len() > 8, "{traces:?}");
    assert!(traces.namespaces.len() > 8, "{traces:?}");
    assert!(!traces.files.is_empty(), "{traces:?}");
    assert_eq!(traces.ports.len(), ports.len(), "{traces:?}");
    assert!(ports.len() > 8, "{ports:?}");
}

#[test]
fn down_leaves_the_machine_as_it_was() {
    let Some(lab) = Lab::enter() else { return };
    let before = Traces::of(lab.state.path(), &[]);
    assert!(before.is_clean(), "{before:?}");
    let sim = lab.up(&[]);
    let ports = ports(&sim);
    is_there(&Traces::of(lab.state.path(), &ports), &ports);
    sim.down(false);
    // `down` returns when everything has ended: no waiting here.
    assert_eq!(Traces::of(lab.state.path(), &ports), before);
    assert!(sim.folder().join("data").is_dir(), "without --purge the data stays");
    sim.down(true);
    assert!(!sim.folder().exists());
}

#[test]
fn a_supervisor_that_is_asked_to_end_stops_everything() {
    let Some(lab) = Lab::enter() else { return };
    let sim = lab.up(&[]);
    let ports = ports(&sim);
    signal(machine::supervisor(lab.state.path()).unwrap(), Signal::SIGTERM);
    let alive = |traces: &Traces| traces.processes.is_empty() && traces.ports.is_empty();
    let after = settled(&lab, &ports, alive);
    assert!(alive(&after) && after.namespaces.is_empty(), "{after:?}");
    let log = std::fs::read_to_string(sim.folder().join("logs/cp-aws-1.log")).unwrap();
    assert!(log.contains("stopping"), "the nodes were not stopped in order: {log}");
    sim.down(true);
}

#[test]
fn a_killed_supervisor_takes_everything_with_it() {
    let Some(lab) = Lab::enter() else { return };
    let before = Traces::of(lab.state.path(), &[]);
    let sim = lab.up(&[]);
    let ports = ports(&sim);
    is_there(&Traces::of(lab.state.path(), &ports), &ports);
    signal(machine::supervisor(lab.state.path()).unwrap(), Signal::SIGKILL);
    // It could not delete its own socket and context; everything alive is gone.
    let alive = |traces: &Traces| traces.processes.is_empty() && traces.ports.is_empty();
    let after = settled(&lab, &ports, alive);
    assert!(alive(&after) && after.namespaces.is_empty(), "{after:?}");
    assert_eq!(after.interfaces, before.interfaces);
    // The same name starts again over what was left, with its data.
    let context = std::fs::read_to_string(sim.context_file()).unwrap();
    assert!(sim.run(&["sim", "up"]).status.success());
    assert_ne!(std::fs::read_to_string(sim.context_file()).unwrap(), context, "new ports");
    sim.down(true);
    assert_eq!(Traces::of(lab.state.path(), &ports), before);
}

/// What stops a start, and as soon as how many processes of it run: the earliest moments and later ones.
const STOPS: &[(Stop, usize)] = &[
    (Stop::CtrlC, 1),
    (Stop::HangUp, 1),
    (Stop::CtrlC, 2),
    (Stop::HangUp, 2),
    (Stop::CtrlC, 4),
    (Stop::HangUp, 6),
    (Stop::Kill, 6),
    (Stop::CtrlC, 8),
];

#[test]
fn an_interrupted_start_takes_everything_down() {
    let Some(lab) = Lab::enter() else { return };
    let before = Traces::of(lab.state.path(), &[]);
    for (stop, processes) in STOPS {
        // Takes down what the product leaves when this test fails.
        let sim = lab.adopt(&lab.name());
        let up = Terminal::run(sim.command(&["sim", "up"]));
        let started = |traces: &Traces| traces.processes.len() >= *processes;
        assert!(started(&settled(&lab, &[], started)), "{processes} processes of the simulation");
        let status = up.stop(*stop);
        assert!(was_interrupted(status), "{stop:?} at {processes} processes: {status}");
        let alive = |traces: &Traces| traces.processes.is_empty();
        let after = settled(&lab, &[], alive);
        let gone = after.processes.is_empty() && after.namespaces.is_empty();
        assert!(gone, "{stop:?} at {processes}: {after:?}");
        assert_eq!(after.interfaces, before.interfaces);
        sim.down(true);
        assert_eq!(Traces::of(lab.state.path(), &[]), before);
    }
}
