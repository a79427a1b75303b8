//! NODE-1: what was acknowledged survives `kill -9` of one, two or all nodes.

use std::process::Stdio;

use crate::lab::writes::{Crowd, History, read_all};
use crate::lab::{Sim, await_that};
use crate::run;

/// Rounds of kills.
const ROUNDS: usize = 20;
/// Acknowledged writes in a round.
const WRITES: u64 = 1000;
/// Writers at once.
const WRITERS: usize = 256;
/// Clients, each with connections of its own, that they share.
const CLIENTS: usize = 4;

#[test]
fn acknowledged_writes_survive_kills_of_one_two_or_all_nodes() {
    let Some(sim) = Sim::up(&[]) else { return };
    run(async {
        let clients: Vec<_> = (0..CLIENTS).map(|_| sim.cluster(10.0)).collect();
        let mut all = History::default();
        for round in 0..ROUNDS {
            let victims = victims(&sim, round).await;
            let crowd = Crowd::start(&clients, WRITERS, WRITES, &format!("crash/{round:02}/"));
            await_that("a third of the writes", 60, || async { reached(&crowd, WRITES / 3) }).await;
            at_once(&sim, "kill", &victims);
            // Without a quorum there is nothing to wait for.
            if victims.len() == 1 {
                await_that("writes without one node", 60, || async { reached(&crowd, WRITES * 2 / 3) }).await;
            }
            at_once(&sim, "restart", &victims);
            await_that("all writes of the round", 60, || async { reached(&crowd, WRITES) }).await;
            let mut history = crowd.end().await;
            history.revisions_follow_real_time();
            let gap = history.longest_gap();
            all.done.append(&mut history.done);
            all.failed.append(&mut history.failed);
            let (states, took) = sim.agreed(30).await;
            let store = read_all(&clients[0], "crash/").await;
            all.is_in(&store);
            println!(
                "round {round}: killed {}; {} acknowledged and {} unsure so far; longest gap {} ms; equal hash at {} after {} ms",
                victims.join(" "),
                all.done.len(),
                all.failed.len(),
                gap.as_millis(),
                states[0].applied,
                took.as_millis()
            );
        }
    });
}

fn reached(crowd: &Crowd, count: u64) -> Option<()> {
    (crowd.acknowledged() >= count).then_some(())
}

/// Who is killed in a round: the leader, two nodes, all, a follower, and again.
async fn victims(sim: &Sim, round: usize) -> Vec<String> {
    let leader = sim.leader().await.0.name;
    let mut nodes = sim.nodes();
    nodes.rotate_left(round % 3);
    match round % 4 {
        0 => vec![leader],
        1 => nodes.into_iter().take(2).collect(),
        2 => nodes,
        _ => nodes.into_iter().filter(|node| *node != leader).take(1).collect(),
    }
}

/// The same verb to several hosts, without waiting in between.
fn at_once(sim: &Sim, verb: &str, hosts: &[String]) {
    let start = |host: &String| {
        let mut command = sim.command(&["sim", verb, host]);
        command.stdout(Stdio::null()).spawn().unwrap()
    };
    let running: Vec<_> = hosts.iter().map(start).collect();
    for mut child in running {
        assert!(child.wait().unwrap().success(), "{verb} {hosts:?}");
    }
}
