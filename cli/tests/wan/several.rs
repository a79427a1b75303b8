//! Simulations beside each other, and one that outlives the session that started it.

use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::lab::{Lab, text};

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
    one.down(true);
    assert_eq!(delay(two.json(&["sim", "status"])), 25.0, "the end of one is nothing to the other");
}

#[test]
fn it_outlives_the_session_that_started_it() {
    let Some(lab) = Lab::enter() else { return };
    let name = lab.name();
    // A session leader that starts the simulation and waits: the whole group is killed, as by a closed terminal.
    let mut shell = std::process::Command::new("sh");
    let script = format!("{} sim --name {name} up --no-cluster && echo up && sleep 60", crate::lab::BINARY);
    shell.args(["-c", &script]).env("FARQUORUM_STATE_DIR", lab.state.path()).current_dir(lab.state.path());
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // SAFETY: setsid is async-signal-safe.
    unsafe { shell.pre_exec(|| Ok(nix::unistd::setsid().map(drop)?)) };
    let mut shell = shell.spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(shell.stdout.take().unwrap()));
    assert!(lines.map_while(Result::ok).any(|line| line == "up"));
    let sim = lab.adopt(&name);
    let group = nix::unistd::Pid::from_raw(i32::try_from(shell.id()).unwrap());
    for signal in [Signal::SIGHUP, Signal::SIGKILL] {
        let _gone = nix::sys::signal::killpg(group, signal);
    }
    shell.wait().unwrap();
    assert_eq!(text(&sim.run(&["sim", "exec", "operator", "--", "echo", "alive"]).stdout), "alive\n");
}
