//! Ctrl-C: the step in hand is finished, the next one is not begun, and what was changed is named. Twice: at once. Meanwhile
//! nobody else may begin one.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::lab::Sim;
use crate::lab::ran::run;
use crate::lab::terminal::{Stop, Terminal};
use crate::{rollout, script};

/// Tells that it was called and takes a while.
const SLOW: &str = "echo \"$1\" >>\"$0.called\"\necho begun\nsleep 2\n$SIM restart \"$1\"\n";

#[test]
fn an_interrupt_finishes_the_step_and_a_second_one_does_not() {
    let Some(sim) = Sim::up(&[]) else { return };
    let update = script(&sim, "update", SLOW) + " {name}";
    let called = sim.lab.state.path().join("update.called");

    let mut terminal = Terminal::run(rollout(&sim, &["apply", "--update", &update]));
    terminal.await_line("| begun");
    refused(&sim, &update);
    let status = terminal.stop(Stop::CtrlC);
    assert_eq!(status.code(), Some(130));
    let lines = std::fs::read_to_string(&called).unwrap();
    assert_eq!(lines.lines().count(), 1, "one step was finished, and no other begun: {lines}");
    // It serves: what was begun was not cut short.
    sim.ok(&["rollout", "plan"]);

    let forever = script(&sim, "forever", "echo begun\nsleep 600\n") + " {name}";
    let mut terminal = Terminal::run(rollout(&sim, &["apply", "--update", &forever]));
    terminal.await_line("| begun");
    terminal.press(b"\x03");
    terminal.await_line("the step in hand is finished");
    let status = terminal.stop(Stop::CtrlC);
    assert_eq!(status.code(), Some(130));
    assert_eq!(sim.run(&["kv", "get", LOCK]).status.code(), Some(1), "it was given back");

    let mut killed = rollout(&sim, &["apply", "--update", &forever]);
    killed.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut killed = killed.spawn().unwrap();
    let mut lines = BufReader::new(killed.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("| begun")));
    killed.kill().unwrap();
    killed.wait().unwrap();
    refused(&sim, &update);
    sim.ok(&["kv", "del", LOCK]);
    run(rollout(&sim, &["apply", "--update", "false {name}", "--no-rollback"])).code(1).says(&["cp-"]);
}

/// The key that a rollout holds.
const LOCK: &str = "rollout/lock";

/// Another rollout is not begun.
fn refused(sim: &Sim, update: &str) {
    let held = sim.ok(&["kv", "get", LOCK]);
    run(rollout(sim, &["apply", "--update", update])).code(4).says(&[
        "another rollout is under way: process ",
        held.trim(),
        "farquorum kv del rollout/lock",
    ]);
}
