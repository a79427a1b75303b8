//! A cluster is updated node by node and set back, while clients write: at every mix of versions each node leads, all
//! have the same state, and nothing is lost. What only the newer version can read is not written before all have it,
//! and a node that was set back too late stops, and goes on where it was once it is updated again.

use std::future::Future;

use crate::lab::writes::{Crowd, History, read_all};
use crate::lab::{Lab, await_that};
use crate::members::Members;
use crate::members::Program::{Newer, Older};
use crate::next::PREFIX;
use crate::ran::run;

/// Writes while a node is away; the log keeps far fewer.
const AWAY: u64 = 1000;

pub(crate) fn nodes_are_updated_and_set_back_one_by_one() {
    let Some(lab) = Lab::enter() else { return };
    let options = ["--set", "raft.snapshot_every_entries=200", "--set", "raft.log_keep_entries=50"];
    let mut members = Members::up(&lab, &options);
    let [first, second, third] = <[String; 3]>::try_from(members.sim.nodes()).unwrap();
    block_on(async {
        let mut history = History::default();
        let all = &mut history;
        members.check("none", all).await;

        members.replace(&first, Newer, all).await;
        members.check("one", all).await;
        refused(&members, &first, &second).await;
        catches_up(&mut members, &first, &second, all).await;

        members.replace(&second, Newer, all).await;
        members.check("two", all).await;
        refused(&members, &second, &third).await;
        // Set back, and updated again.
        members.replace(&first, Older, all).await;
        members.check("back", all).await;
        members.replace(&first, Newer, all).await;

        members.replace(&third, Newer, all).await;
        members.check("all", all).await;
        set_back_too_late(&mut members, &third, all).await;
        members.check("end", all).await;

        let store = read_all(&members.sim.cluster(10.0), "").await;
        history.is_in(&store);
        assert_eq!(store["next/key"].value, b"value".as_slice());
        assert_eq!(store["next/later"].value, b"value".as_slice());
    });
}

/// The newer node knows better than to write what the older one cannot read, and says who must be updated.
async fn refused(members: &Members, newer: &str, older: &str) {
    members.lead(newer).await;
    let sim = &members.sim;
    let key = format!("{PREFIX}early");
    let id = sim.context().nodes.iter().find(|node| node.name == older).unwrap().id;
    run(sim.command(&["kv", "set", &key, "value"])).code(4).says(&[
        "needs level 2",
        &format!("node {id} has level 1"),
        "farquorum status",
    ]);
    run(sim.command(&["kv", "set", "early", "value"])).ok();
    assert!(!sim.json(&["kv", "list"]).to_string().contains(&key));
}

/// A node of the older version was away for longer than the log reaches; the newer one leads and sends its snapshot.
async fn catches_up(members: &mut Members, newer: &str, older: &str, all: &mut History) {
    members.lead(newer).await;
    let sim = &members.sim;
    let had = sim.raft_state(older).await.unwrap().applied;
    sim.verb(&["kill", older]);
    let mut away = Crowd::start(&[sim.cluster(10.0)], 64, AWAY, "away/").end().await;
    assert!(away.failed.is_empty(), "{:?}", away.failed);
    all.done.append(&mut away.done);
    await_that("a compacted log", 60, || async {
        let leader = sim.raft_state(newer).await?;
        (leader.first_index > had + AWAY / 2).then_some(())
    })
    .await;
    sim.verb(&["restart", older]);
    sim.agreed(60).await;
    let log = sim.log(older);
    assert!(log.contains("restored a leader's snapshot"), "{older} caught up otherwise");
}

/// All have the newer version and use what it brings. A node that is set back then stops in front of it, at every
/// start; the others go on.
async fn set_back_too_late(members: &mut Members, node: &str, all: &mut History) {
    // Each has told the leader its level when it connected to it.
    let set = |members: &Members, key: &str| {
        let key = format!("{PREFIX}{key}");
        run(members.sim.command(&["kv", "set", &key, "value"])).ok();
    };
    set(members, "key");
    members.sim.agreed(60).await;
    let starts_with = members.sim.log(node).len();
    members.give(node, Older);
    members.sim.verb(&["kill", node]);
    set(members, "later");
    // The supervisor waits for no process: that it ends is what is awaited.
    let _ended_already = members.sim.run(&["sim", "restart", node]);
    let said = || members.sim.log(node)[starts_with..].to_owned();
    await_that("the node's end", 60, || async {
        let words = ["needs level 2", "this program has level 1", "start a version of farquorum"];
        (members.sim.raft_state(node).await.is_none() && words.iter().all(|it| said().contains(it)))
            .then_some(())
    })
    .await;
    run(members.sim.command(&["kv", "set", "without", "it"])).ok();
    members.replace(node, Newer, all).await;
}

/// Two threads: clients share the machine with the simulation.
fn block_on(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(work);
}
