//! `sim exec`: a program inside a host has the caller's streams, folder, environment, user id and signals.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use nix::sys::signal::Signal;

use crate::lab::machine::{in_the_background, interruptible, signal};
use crate::lab::ran::{run, run_with};
use crate::lab::{Lab, Sim, file};
use crate::remains::settled;

#[test]
fn a_program_inside_is_as_one_outside() {
    let Some(sim) = Sim::up(&["--no-cluster"]) else { return };
    let inside = |program: &[&str]| sim.command(&[&["sim", "exec", "worker-gcp-1", "--"], program].concat());

    let ran = run_with(inside(&["tr", "a-z", "A-Z"]), b"through both streams\n").ok();
    assert_eq!(ran.text(), "THROUGH BOTH STREAMS\n");

    file(&sim.lab, "here/it.txt", "in the caller's folder\n");
    let mut command = inside(&["cat", "it.txt"]);
    command.current_dir(sim.lab.state.path().join("here"));
    assert_eq!(run(command).ok().text(), "in the caller's folder\n");

    let uid = nix::unistd::geteuid();
    assert_eq!(run(inside(&["id", "-u"])).ok().text(), format!("{uid}\n"));

    // A value that is no UTF-8 is named and left out; the others arrive.
    let mut command = inside(&["sh", "-c", "echo $GIVEN ${ODD-none} $FARQUORUM_HOST"]);
    command.env("GIVEN", "given").env("ODD", OsStr::from_bytes(b"\xff"));
    let ran = run(command).code(0).says(&["the variable ODD is not UTF-8"]);
    assert_eq!(ran.text(), "given none worker-gcp-1\n");
}

/// What a program leaves running goes on, as outside; what it is itself ends with its caller.
#[test]
fn what_runs_in_the_background_outlives_its_program_and_no_program_its_caller() {
    let Some(sim) = Sim::up(&["--no-cluster"]) else { return };
    let exec = |script: &str| sim.command(&["sim", "exec", "operator", "--", "sh", "-c", script]);
    let background = "sleep 600 </dev/null >/dev/null 2>&1 & echo $!";
    let left = run(exec(background)).ok().text().trim().to_owned();
    // A second program, so that whatever the supervisor does at the end of the first one is done.
    run(exec("true")).ok();
    assert!(alive(&exec, &left));

    let pids = sim.lab.state.path().join("pids");
    let script = format!("sleep 600 & echo $$ $! > {}; wait", pids.display());
    let mut caller = exec(&script).spawn().unwrap();
    let written = settled(|| std::fs::read_to_string(&pids).unwrap_or_default(), |text| text.ends_with('\n'));
    signal(i32::try_from(caller.id()).unwrap(), Signal::SIGKILL);
    caller.wait().unwrap();
    for pid in written.split_whitespace() {
        assert!(settled(|| !alive(&exec, pid), |gone| *gone), "process {pid} outlived its caller");
    }
    assert!(alive(&exec, &left));
}

/// Whether a process runs in the simulation.
fn alive(exec: &impl Fn(&str) -> std::process::Command, pid: &str) -> bool {
    exec(&format!("kill -0 {pid} 2>/dev/null")).status().unwrap().success()
}

#[test]
fn what_cannot_be_run_says_why() {
    let Some(sim) = Sim::up(&["--no-cluster"]) else { return };
    let exec = |args: &[&str]| run(sim.command(&[&["sim", "exec"], args].concat()));
    exec(&["worker-gpc-1", "--", "true"])
        .code(2)
        .says(&["no host `worker-gpc-1` in the lab; did you mean worker-gcp-1? Known: cp-aws-1"]);
    exec(&["worker-gcp-1", "--", "no-such-program"]).code(127).says(&["no-such-program on worker-gcp-1"]);
    exec(&["worker-gcp-1", "true"]).code(2).says(&["--"]);
}

/// Also in a simulation that was itself started so that it ignores them.
#[test]
fn signals_reach_the_program() {
    let Some(lab) = Lab::enter() else { return };
    let mut up = lab.command();
    up.args(["sim", "--name", "background", "up", "--no-cluster"]);
    in_the_background(&mut up);
    run(up).code(0);
    let sim = lab.adopt("background");
    for (kind, code) in [(Signal::SIGINT, 41), (Signal::SIGTERM, 42), (Signal::SIGHUP, 43)] {
        let started = sim.lab.state.path().join(format!("started-{code}"));
        let script = format!(
            "trap 'exit 41' INT; trap 'exit 42' TERM; trap 'exit 43' HUP; touch {}; while :; do sleep 0.05; done",
            started.display()
        );
        let mut command = sim.command(&["sim", "exec", "operator", "--", "sh", "-c", &script]);
        interruptible(&mut command);
        let mut child = command.spawn().unwrap();
        while !started.exists() {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it began");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        signal(i32::try_from(child.id()).unwrap(), kind);
        for _ in 0..1_000 {
            if child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        // One that did not heed it ends with the simulation.
        assert_eq!(child.try_wait().unwrap().and_then(|ended| ended.code()), Some(code), "{kind}");
    }
}
