//! `sim play`: what ships holds on a whole cluster, and what does not hold ends with exit code 1.

use crate::lab::ran::run;
use crate::lab::{Sim, file};

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
    sim.ok(&["sim", "check"]);
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
}
