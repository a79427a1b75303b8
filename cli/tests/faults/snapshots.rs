//! NODE-6: a node that was away for longer than the log reaches catches up by a snapshot.

use crate::lab::writes::Crowd;
use crate::lab::{Sim, await_that};
use crate::run;

/// Writes while the node is away.
const WRITES: u64 = 3000;

#[test]
fn a_node_that_was_away_catches_up_by_snapshot() {
    let options = ["--set", "raft.snapshot_every_entries=500", "--set", "raft.log_keep_entries=100"];
    let Some(sim) = Sim::up(&options) else { return };
    run(async {
        let (leader, _) = sim.leader().await;
        let away = sim.nodes().into_iter().find(|node| *node != leader.name).unwrap();
        let clients = [sim.cluster(10.0), sim.cluster(10.0)];
        let had = sim.raft_state(&away).await.unwrap().applied;
        sim.verb(&["kill", &away]);
        let history = Crowd::start(&clients, 128, WRITES, "snapshot/").end().await;
        assert!(history.failed.is_empty(), "{:?}", history.failed);
        // The log that is left does not reach back to what the node had.
        let (first, _) = await_that("a compacted log", 30, || async {
            let first = sim.raft_state(&leader.name).await?.first_index;
            (first > had + WRITES / 2).then_some(first)
        })
        .await;
        // Writes go on while the snapshot is sent.
        let crowd = Crowd::start(&clients, 16, 300, "snapshot/later/");
        sim.verb(&["restart", &away]);
        let later = crowd.end().await;
        assert!(later.failed.is_empty(), "{:?}", later.failed);
        let (states, took) = sim.agreed(60).await;
        println!(
            "{away} had {had}, the log began at {first}; equal hash at {} after {} ms",
            states[0].applied,
            took.as_millis()
        );
    });
}
