//! The emulated WAN as a user has it: what it leaves behind, changes while it runs, programs inside it.

mod lab;

use lab::Sim;

#[test]
fn a_program_inside_ends_as_it_ended() {
    let Some(sim) = Sim::up(&["--no-cluster"]) else { return };
    let output =
        sim.run(&["sim", "exec", "operator", "--", "sh", "-c", "echo inside $FARQUORUM_HOST; exit 7"]);
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(lab::text(&output.stdout), "inside operator\n");
}
