//! Simulations beside each other, and one that outlives the terminal that started it.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use nix::libc;
use nix::sys::signal::Signal;

use crate::lab::ran::run;
use crate::lab::terminal::{Stop, Terminal};
use crate::lab::{BINARY, Lab, Sim, file, text};

#[test]
fn two_simulations_run_side_by_side() {
    let Some(lab) = Lab::enter() else { return };
    let (one, two) = (lab.up(&["--no-cluster"]), lab.up(&["--no-cluster"]));
    one.verb(&["link", "aws", "gcp", "--delay-ms", "40"]);
    let delay = |status: serde_json::Value| -> f64 {
        let links = status["links"].as_array().unwrap();
        let link = links.iter().find(|link| link["from"] == "aws" && link["to"] == "gcp").unwrap();
        link["delay_ms"].as_f64().unwrap()
    };
    assert_eq!(delay(one.json(&["sim", "status"])), 40.0);
    assert_eq!(delay(two.json(&["sim", "status"])), 25.0);
    let list = one.json(&["sim", "list"]);
    let mut names = vec![one.name.clone(), two.name.clone()];
    names.sort();
    assert_eq!(list["simulations"], serde_json::json!(names));
    let again = one.run(&["sim", "up", "--no-cluster"]);
    assert_eq!(again.status.code(), Some(4), "{}", text(&again.stderr));
    assert!(text(&again.stderr).contains("already runs"), "{}", text(&again.stderr));
    // Who asks for none in particular is told which there are.
    let ran = |args: &[&str]| {
        let mut command = lab.command();
        command.args(args);
        run(command)
    };
    let nameless = ran(&["sim", "status"]).code(3);
    nameless.says(&["no simulation answers at", "--name with one that runs", &one.name, &two.name]);
    let typo = ran(&["sim", "--name", "typo", "down"]).code(0);
    typo.says(&["no simulation named \"typo\" runs; running: ", &one.name]);
    one.down(true);
    assert_eq!(delay(two.json(&["sim", "status"])), 25.0, "the end of one is nothing to the other");
}

/// Ports, data and certificates of one are not those of the other.
#[test]
fn two_clusters_run_side_by_side() {
    let Some(lab) = Lab::enter() else { return };
    let sims = [lab.up(&[]), lab.up(&[])];
    for sim in &sims {
        sim.ok(&["kv", "set", "mine", &sim.name]);
    }
    for sim in &sims {
        assert_eq!(sim.ok(&["kv", "get", "mine"]).trim(), sim.name);
    }
    // One's certificates are nothing to the other.
    let [one, other] = &sims;
    let context = std::fs::read_to_string(one.context_file()).unwrap();
    let own = |sim: &Sim| sim.folder().join("certs").display().to_string();
    let foreign = context.replace(&own(one), &own(other));
    assert_ne!(foreign, context, "the context names its certificates by their path");
    let foreign = file(&lab, "foreign.toml", foreign);
    let refused = run({
        let mut command = lab.command();
        command.args(["kv", "get", "mine", "--timeout", "2", "--context", &foreign]);
        command
    });
    refused.code(3);
    one.down(true);
    other.ok(&["kv", "set", "mine", "still"]);
}

#[test]
fn it_outlives_the_terminal_that_it_was_started_from() {
    let Some(lab) = Lab::enter() else { return };
    let name = lab.name();
    // A shell that starts the simulation and waits, as at a prompt.
    let mut shell = Command::new("sh");
    let script =
        format!("{BINARY} sim --name {name} up --no-cluster && echo at the prompt && exec sleep 600");
    shell.args(["-c", &script]).env("FARQUORUM_STATE_DIR", lab.state.path()).current_dir(lab.state.path());
    let mut terminal = Terminal::run(shell);
    terminal.await_line("at the prompt");
    let sim = lab.adopt(&name);
    let group = nix::unistd::Pid::from_raw(terminal.id());
    let status = terminal.stop(Stop::HangUp);
    assert_eq!(status.signal(), Some(libc::SIGHUP), "the shell outlived its terminal: {status}");
    let rest = nix::sys::signal::killpg(group, Signal::SIGKILL);
    assert_eq!(rest, Err(nix::errno::Errno::ESRCH), "something stayed in the terminal's group");
    assert_eq!(text(&sim.run(&["sim", "exec", "operator", "--", "echo", "alive"]).stdout), "alive\n");
}
