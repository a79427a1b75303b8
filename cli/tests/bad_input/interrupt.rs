//! Ctrl-C, SIGTERM and a closed terminal: `job run` lets the job go on, `demo` takes everything down.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::lab::machine::{Traces, interruptible, processes_with, signal};
use crate::lab::terminal::{Stop, Terminal, was_interrupted};
use crate::lab::{Lab, Sim};
use crate::ran::{Ran, run};

/// Real text on every Debian and Ubuntu.
const INPUT: &str = "/usr/share/common-licenses";

/// Within this everything of an interrupted start is gone.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// A command in the background whose output is kept.
fn start(command: &mut Command) -> Child {
    interruptible(command);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn interrupt(child: &Child) {
    signal(i32::try_from(child.id()).unwrap(), Signal::SIGINT);
}

/// Looks until it is true, or the child has ended.
fn wait_until(child: &mut Child, what: &str, mut is_true: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_true() {
        assert!(child.try_wait().unwrap().is_none(), "ended before: {what}");
        assert!(Instant::now() < until, "not within 60 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_interrupted_job_run_detaches_and_says_how_to_follow() {
    let Some(sim) = Sim::up(&[]) else { return };
    let mut command = sim.command(&["job", "run", "wordcount", "--input", INPUT, "--split-bytes", "2000"]);
    let mut child = start(&mut command);
    let running = || sim.json(&["job", "list"])["jobs"][0]["state"] == "map";
    wait_until(&mut child, "the job maps", running);
    interrupt(&child);
    let ran = Ran::new(&command, child.wait_with_output().unwrap());
    ran.code(130).says(&["job 1 goes on without this command", "try: farquorum job get 1 --follow"]);
    run(sim.command(&["job", "get", "1", "--follow"])).ok().prints(&["job 1 (wordcount): completed"]);
}

/// When an interrupt comes.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// Milliseconds after the start: the namespaces are being made, the self-test runs, the nodes elect.
    After(u64),
    /// When a line of the output has this.
    Line(&'static str),
}

use Moment::{After, Line};

/// What stops the demo, and when: at its start, in the job before and after the leader's death.
const STOPS: &[(Stop, Moment)] = &[
    (Stop::CtrlC, After(5)),
    (Stop::HangUp, After(25)),
    (Stop::CtrlC, After(30)),
    (Stop::Kill, After(60)),
    (Stop::CtrlC, After(120)),
    (Stop::HangUp, After(250)),
    (Stop::CtrlC, After(1000)),
    (Stop::HangUp, After(1000)),
    (Stop::CtrlC, Line("1. three clouds")),
    (Stop::HangUp, Line("2. job")),
    (Stop::Kill, Line("2. job")),
    (Stop::CtrlC, Line("map tasks are done")),
    (Stop::HangUp, Line("map tasks are done")),
];

#[test]
fn an_interrupted_demo_leaves_nothing_and_the_next_one_works() {
    let Some(lab) = Lab::enter() else { return };
    let before = Traces::of(lab.state.path(), &[]);
    // Takes down what the product leaves when this test fails.
    let _left = lab.adopt("demo");
    for (stop, moment) in STOPS {
        let took = interrupted_demo(&lab, *stop, *moment);
        assert!(took < GONE_WITHIN, "{stop:?} {moment:?}: it took {took:?}");
        let left = Traces::of(lab.state.path(), &[]);
        assert_eq!(left, before, "{stop:?} {moment:?}: something was left behind");
        assert!(
            !lab.state.path().join("sim/demo").exists(),
            "{stop:?} {moment:?}: its folder was left behind"
        );
    }
    run(demo(&lab)).ok().prints(&["byte for byte equal to a single process", "nothing is left behind"]);
    assert_eq!(Traces::of(lab.state.path(), &[]), before);
}

fn demo(lab: &Lab) -> Command {
    let mut command = lab.command();
    command.args(["demo", "--input", INPUT]);
    command
}

/// From the interrupt until the command and every process that it started have ended.
fn interrupted_demo(lab: &Lab, stop: Stop, moment: Moment) -> Duration {
    let begun = Instant::now();
    let mut terminal = Terminal::run(demo(lab));
    match moment {
        After(millis) => {
            while begun.elapsed() < Duration::from_millis(millis) {
                assert!(terminal.ended().is_none(), "{moment:?}: it ended before");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Line(text) => terminal.await_line(text),
    }
    let interrupted = Instant::now();
    let status = terminal.stop(stop);
    assert!(was_interrupted(status), "{stop:?} {moment:?}: {status}");
    while !processes_with(lab.state.path()).is_empty() && interrupted.elapsed() < GONE_WITHIN {
        std::thread::sleep(Duration::from_millis(5));
    }
    interrupted.elapsed()
}
