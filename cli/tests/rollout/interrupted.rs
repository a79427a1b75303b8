//! Ctrl-C: the step in hand is finished, the next one is not begun, and what was changed is named. Twice: at once.

use crate::lab::Sim;
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
}
