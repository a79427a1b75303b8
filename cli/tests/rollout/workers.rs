//! `rollout apply --workers`: jobs that run meanwhile end right, and a worker that does not come back stops it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::lab::Sim;
use crate::lab::machine::processes_with;
use crate::lab::ran::run as command;
use crate::rolls_back::{SECOND_STAYS_DOWN, called};
use crate::writers::background;
use crate::{rollout, run, script};

/// Text on every Debian and Ubuntu.
const INPUT: &str = "/usr/share/common-licenses";

/// Input of one map task: many short ones, so that every worker that stops has some.
const SPLIT_BYTES: &str = "8192";

/// Ten times as often as by default: what is awaited is a heartbeat.
const HEARTBEATS: [&str; 4] = ["--set", "tasks.heartbeat_ms=500", "--set", "tasks.lease_ms=2000"];

/// One job after another runs for as long as the rollout does, so one runs at every step of it.
#[test]
fn jobs_end_right_while_every_node_and_worker_is_updated() {
    let Some(sim) = Sim::up(&HEARTBEATS) else { return };
    run(async {
        let (workers, before) = (workers(&sim), processes(&sim));
        assert_eq!((workers.len(), before.len()), (4, sim.nodes().len() + 4), "{workers:?}: {before:?}");
        let rolled = tokio::spawn(background(rollout(&sim, &["apply", "--workers", "-o", "json"])));
        let mut jobs = Vec::new();
        while !rolled.is_finished() {
            let args = ["job", "run", "wordcount", "--input", INPUT, "--split-bytes", SPLIT_BYTES];
            let job = sim.command(&[&args[..], &["-o", "json"]].concat());
            jobs.push(background(job).await.code(0).json());
        }
        let ran = rolled.await.unwrap().code(0);
        println!("{}", ran.err);

        let report = ran.json();
        assert_eq!(report["outcome"], "updated", "{report}");
        let updated = |host: &Value| host["state"] == "updated";
        assert!(report["hosts"].as_array().unwrap().iter().all(updated), "{report}");
        let begun = begun(&ran.err);
        assert_eq!(begun.len(), before.len(), "{begun:?}");
        assert_eq!(begun[sim.nodes().len()..], workers, "after the nodes: {begun:?}");
        let after = processes(&sim);
        for (name, pid) in &before {
            assert_ne!(after.get(name), Some(pid), "{name} was not restarted");
        }
        assert_eq!(states(&sim), vec!["healthy"; workers.len()]);

        let lost: u64 = jobs.iter().map(lost_attempts).sum();
        println!("{} jobs, {lost} attempts lost on the way", jobs.len());
        for job in &jobs {
            let urls = job["parts"].as_array().unwrap().iter();
            let parts: Vec<String> = urls.map(|url| url.as_str().unwrap().to_owned()).collect();
            assert_eq!((&job["state"], parts.len()), (&"completed".into(), 3), "{job}");
            sim.equals_the_reference(&parts, INPUT).await;
        }
    });
}

#[test]
fn a_worker_that_does_not_come_back_stops_it_and_is_named() {
    let Some(sim) = Sim::up(&HEARTBEATS) else { return };
    let (workers, before) = (workers(&sim), processes(&sim));
    let update = script(&sim, "update", SECOND_STAYS_DOWN) + " {name}";
    let rollback = script(&sim, "rollback", "echo \"$1\" >>\"$0.called\"\n$SIM restart \"$1\"\n") + " {name}";
    let apply = ["apply", &workers[0], &workers[1], &workers[2], "--update", &update, "--wait", "5"];

    let ran =
        command(rollout(&sim, &[&apply[..], &["--rollback", &rollback, "-o", "json"]].concat())).code(1);
    println!("{}", ran.err);
    assert_eq!(called(&sim, "update"), workers[..2], "the third was not touched");
    assert_eq!(called(&sim, "rollback"), [workers[1].clone(), workers[0].clone()], "the last one first");
    let report = ran.json();
    let hosts = report["hosts"].as_array().unwrap();
    let ends: Vec<&Value> = hosts.iter().map(|host| &host["state"]).collect();
    assert_eq!(
        (&report["outcome"], ends.as_slice()),
        (&"rolled_back".into(), &[&"rolled_back".into(), &"rolled_back".into(), &"untouched".into()][..])
    );
    let why = format!("{}: sends no heartbeats, 5 s after its command", workers[1]);
    ran.says(&[&why, "everything that was begun is rolled back and well"]);
    assert_eq!(states(&sim), vec!["healthy"; workers.len()]);
    let after = processes(&sim);
    for (name, pid) in before {
        let touched = workers[..2].contains(&name);
        assert_eq!(after.get(&name) == Some(&pid), !touched, "{name}");
    }

    // Without a way back it stays down, and is named; the rest is taken up where it ended.
    std::fs::remove_file(sim.lab.state.path().join("update.called")).unwrap();
    let ran = command(rollout(&sim, &[&apply[..], &["--no-rollback"]].concat())).code(1);
    ran.says(&[&why, &format!("stopped; changed: {}, {}", workers[0], workers[1])]);
    assert!(!processes(&sim).contains_key(&workers[1]));
    let ran = command(rollout(&sim, &["apply", &workers[1], &workers[2]])).code(0);
    assert_eq!(begun(&ran.err), workers[1..3]);
    assert_eq!(states(&sim), vec!["healthy"; workers.len()]);
}

/// The hosts whose commands were begun, in order.
fn begun(said: &str) -> Vec<String> {
    let begun = said.lines().filter_map(|line| line.split_once(": update: "));
    begun.map(|(name, _)| name.to_owned()).collect()
}

fn workers(sim: &Sim) -> Vec<String> {
    let list = sim.json(&["worker", "list"]);
    let names = list["workers"].as_array().unwrap().iter();
    names.map(|worker| worker["name"].as_str().unwrap().to_owned()).collect()
}

fn states(sim: &Sim) -> Vec<String> {
    let list = sim.json(&["worker", "list"]);
    let states = list["workers"].as_array().unwrap().iter();
    states.map(|worker| worker["state"].as_str().unwrap().to_owned()).collect()
}

/// The process of every node and worker that runs.
fn processes(sim: &Sim) -> BTreeMap<String, i32> {
    let of_host = |pid: i32| {
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        let words = line.split('\0').skip_while(|word| !matches!(*word, "node" | "worker"));
        let name = words.skip_while(|word| *word != "--name").nth(1)?;
        Some((name.to_owned(), pid))
    };
    processes_with(sim.lab.state.path()).into_iter().filter_map(of_host).collect()
}

fn lost_attempts(job: &Value) -> u64 {
    let stages = job["stages"].as_array().unwrap().iter();
    stages.filter_map(|stage| stage["failed_attempts"].as_u64()).sum()
}
