//! Ctrl-C: `job run` lets the job go on, `sim up` and `demo` take everything down.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::lab::machine::{Traces, interruptible, processes_with, signal};
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
    /// When a line of the output begins with this.
    Line(&'static str),
}

use Moment::{After, Line};

/// The moments cover the start, the job before and after the leader's death; after the last, the demo runs to its end.
#[test]
fn an_interrupted_demo_leaves_nothing_and_the_next_one_works() {
    let Some(lab) = Lab::enter() else { return };
    let before = Traces::of(lab.state.path(), &[]);
    let early = [5, 15, 30, 60, 120, 250, 500, 1000].map(After);
    for moment in early.into_iter().chain([Line("1."), Line("2."), Line("3.")]) {
        let took = interrupted_demo(&lab, moment);
        assert!(took < GONE_WITHIN, "{moment:?}: it took {took:?}");
        let left = Traces::of(lab.state.path(), &[]);
        assert_eq!(left, before, "{moment:?}: something was left behind");
        assert!(!lab.state.path().join("sim/demo").exists(), "{moment:?}: its folder was left behind");
    }
    let mut command = lab.command();
    run({
        command.args(["demo", "--input", INPUT]);
        command
    })
    .ok()
    .prints(&["byte for byte equal to a single process", "nothing is left behind"]);
    assert_eq!(Traces::of(lab.state.path(), &[]), before);
}

/// From the interrupt until the command and every process that it started have ended.
fn interrupted_demo(lab: &Lab, moment: Moment) -> Duration {
    let mut command = lab.command();
    command.args(["demo", "--input", INPUT]);
    let begun = Instant::now();
    let mut child = start(&mut command);
    // Kept open to the end, so that the command has somewhere to write to.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    match moment {
        After(millis) => {
            wait_until(&mut child, "the moment", || begun.elapsed() >= Duration::from_millis(millis))
        }
        Line(prefix) => {
            let found = lines.by_ref().any(|line| line.unwrap().starts_with(prefix));
            assert!(found, "no line {prefix}");
        }
    }
    interrupt(&child);
    let interrupted = Instant::now();
    let output = child.wait_with_output().unwrap();
    let ran = Ran::new(&command, output);
    // Before there is anything to take down the signal itself ends the process, which a shell calls 130 as well.
    assert!(ran.was_interrupted(), "{moment:?}: {ran}");
    while !processes_with(lab.state.path()).is_empty() && interrupted.elapsed() < GONE_WITHIN {
        std::thread::sleep(Duration::from_millis(5));
    }
    interrupted.elapsed()
}
