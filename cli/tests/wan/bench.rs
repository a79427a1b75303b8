//! `farquorum bench` gives every figure that the README names, and says when they do not count.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::lab::machine::supervisor;
use crate::lab::ran::{Ran, run};
use crate::lab::{Lab, late};

#[test]
fn every_figure_is_measured_and_a_late_emulator_is_said() {
    let Some(lab) = Lab::enter() else { return };
    let mut command = lab.command();
    command.args(["-o", "json", "bench", "--kills", "1", "--commits", "20", "--seconds", "1"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let context = lab.state.path().join("sim/bench/context.toml");
    let first_write = || {
        let mut get = lab.command();
        run_quietly(get.args(["kv", "get", "bench/first", "--context"]).arg(&context))
    };
    // The start would refuse an emulator that is late.
    let until = Instant::now() + Duration::from_secs(120);
    while !first_write() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it measured anything");
        assert!(Instant::now() < until, "no first write within 120 s");
        std::thread::sleep(Duration::from_millis(50));
    }
    late::until_it_ends(&mut child, supervisor(lab.state.path()).unwrap());
    let ran = Ran::new(&command, child.wait_with_output().unwrap()).code(0);
    let printed = ran.json();
    let reasons = printed["invalid_reasons"].as_array().unwrap();
    assert!(reasons[0].as_str().unwrap().starts_with(late::SAYS), "{reasons:?}");
    let figures = printed["figures"].as_array().unwrap();
    let names: Vec<&str> = figures.iter().map(|figure| figure["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "user-space WAN, 1,200-byte packets, one core",
            "start to first committed write",
            "RTT inside the lab less configured",
            "commit, one client, nearest peer at 50 ms",
            "fsync of 256 bytes",
            "submit to start on an idle worker",
            "writes, 4,096 outstanding, RTT 50 ms",
            "writes, 4,096 outstanding, RTT 0 ms",
            "throughput at 50 ms against 0 ms",
            "kill of the leader to the next leader",
            "kill of the leader to the next write",
        ]
    );
    for figure in figures {
        assert!(figure["count"].as_u64().unwrap() > 0 && figure["p50"].is_number(), "{figure}");
    }
    let mut status = lab.command();
    run({
        status.args(["sim", "--name", "bench", "status"]);
        status
    })
    .code(3);
}

fn run_quietly(command: &mut std::process::Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}
