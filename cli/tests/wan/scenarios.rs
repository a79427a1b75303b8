//! `sim play`: what ships holds on a whole cluster, and what does not hold ends with exit code 1.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::lab::machine::{self, interruptible, signal};
use crate::lab::ran::{Ran, run};
use crate::lab::{Sim, file, late};

#[test]
fn every_scenario_that_ships_holds() {
    let Some(sim) = Sim::up(&[]) else { return };
    // Each leaves the links as they were, so one cluster can play them all.
    for (name, title, expectations) in [
        ("region-loss", "loss of a region", 3),
        ("brown-out", "slow brown-out", 3),
        ("flapping-link", "flapping link", 3),
    ] {
        let ran = run(sim.command(&["sim", "play", name])).code(0);
        let printed = ran.text();
        println!("{printed}");
        assert_eq!(printed.lines().next(), Some(title));
        let held = printed.lines().filter(|line| line.contains("a write was acknowledged (after ")).count();
        assert_eq!(held, expectations, "{name}: {printed}");
    }
    the_one_in_the_documentation_holds(&sim);
    sim.ok(&["sim", "check"]);
    assert_eq!(sim.ok(&["kv", "list", "scenario/"]), "no keys\n");
}

/// The file that docs/lab.md shows, as it stands there; it kills the leader and starts the same node again.
fn the_one_in_the_documentation_holds(sim: &Sim) {
    let documentation = include_str!("../../../docs/lab.md");
    let (_, rest) = documentation.split_once("```yaml\n").unwrap();
    let (script, _) = rest.split_once("```").unwrap();
    let path = file(&sim.lab, "documented.yaml", script);
    let starts = || {
        let status = sim.json(&["sim", "status"]);
        let hosts = status["hosts"].as_array().unwrap().iter().filter(|host| host["role"] == "node");
        hosts.map(|host| (host["state"] == "running", host["starts"].as_u64().unwrap())).collect::<Vec<_>>()
    };
    let before = starts();
    run(sim.command(&["sim", "play", &path])).code(0).prints(&["kill leader\n", "restart leader\n"]);
    let again: Vec<bool> =
        before.iter().zip(starts()).map(|(before, now)| now == (true, before.1 + 1)).collect();
    assert_eq!(again.iter().filter(|again| **again).count(), 1, "{before:?}: one node was started again");
    assert!(starts().iter().all(|(runs, _)| *runs), "every node runs");
}

/// What has changed is said to stay: by a scenario, and by a trace.
#[test]
fn an_interrupted_play_says_what_stays() {
    let Some(sim) = Sim::up(&["--no-cluster"]) else { return };
    let script = file(
        &sim.lab,
        "long.yaml",
        "name: long\nsteps:\n- {at_s: 0, isolate: azure}\n- {at_s: 600, heal: all}\n",
    );
    let trace = file(&sim.lab, "trace.csv", "0,80\n600,80\n");
    let cases: [(&[&str], &str, &str); 2] = [
        (&["sim", "play", &script], "at 0.0 s: isolate azure", "what the scenario has changed stays"),
        (&["sim", "trace", "aws", "gcp", &trace, "--loop"], "aws - gcp: 2 values", "keep the delay"),
    ];
    for (args, first, says) in cases {
        let mut command = sim.command(args);
        interruptible(&mut command);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(out.any(|line| line.unwrap().starts_with(first)), "{args:?} ended without {first:?}");
        signal(i32::try_from(child.id()).unwrap(), Signal::SIGINT);
        Ran::new(&command, child.wait_with_output().unwrap()).code(130).says(&[says, "try: farquorum sim"]);
    }
}

#[test]
fn an_expectation_that_does_not_hold_ends_the_play_with_1() {
    let Some(sim) = Sim::up(&[]) else { return };
    let cut_off = "- {at_s: 0, isolate: aws}\n- {at_s: 0, isolate: gcp}\n";
    let play = |name: &str, steps: &str| {
        let script = file(&sim.lab, name, format!("name: {name}\nsteps:\n{steps}"));
        run(sim.command(&["sim", "play", &script]))
    };
    // No two clouds reach each other: no majority.
    play("none.yaml", &format!("{cut_off}- {{at_s: 0, expect: {{no_write_for_s: 2}}}}\n"))
        .code(0)
        .prints(&["at 0.0 s: no write was acknowledged (after 2"]);
    play("write.yaml", "- {at_s: 0, expect: {write_within_s: 2}}\n- {at_s: 0, heal: all}\n")
        .code(1)
        .says(&["expected a write within 2 s; the last answer: "]);
    // What failed before its `heal` has left the cuts in place, as the documentation says.
    play("heal.yaml", "- {at_s: 0, heal: all}\n- {at_s: 0, expect: {write_within_s: 20}}\n").code(0);
    play("silence.yaml", "- {at_s: 0, expect: {no_write_for_s: 5}}\n")
        .code(1)
        .says(&["expected no write for 5 s; one was acknowledged after "]);

    // What held while the emulator was late does not count, and that is said.
    let twice = "- {at_s: 0, expect: {write_within_s: 20}}\n- {at_s: 1, expect: {write_within_s: 20}}\n";
    let script = file(&sim.lab, "late.yaml", format!("name: late\nsteps:\n{twice}"));
    let mut command = sim.command(&["sim", "play", &script]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    late::until_it_ends(&mut child, machine::supervisor(sim.lab.state.path()).unwrap());
    let says = format!("NOT VALID: {}", late::SAYS);
    Ran::new(&command, child.wait_with_output().unwrap()).code(0).prints(&[&says]);

    // Silence counts only where somebody could have written. A worker may not.
    let silence = "- {at_s: 0, expect: {no_write_for_s: 1}}\n";
    let context = std::fs::read_to_string(sim.context_file()).unwrap();
    let of_a_worker =
        context.replace("admin.crt", "worker-gcp-1.crt").replace("admin.key", "worker-gcp-1.key");
    assert_ne!(of_a_worker, context);
    std::fs::write(sim.context_file(), of_a_worker).unwrap();
    play("refused.yaml", silence).code(4);
    // Nor does anybody who is not heard.
    let elsewhere = context.replace("grpc = \"127.0.0.1:", "grpc = \"127.0.0.2:");
    assert_ne!(elsewhere, context);
    std::fs::write(sim.context_file(), elsewhere).unwrap();
    play("unheard.yaml", silence).code(1).says(&["no node answers here, though cp-aws-1, cp-"]);
    std::fs::write(sim.context_file(), &context).unwrap();
    signal(machine::supervisor(sim.lab.state.path()).unwrap(), Signal::SIGKILL);
    play("stopped.yaml", silence).code(3).says(&["no simulation answers at "]);
}
