//! The Raft part as its callers see it: three nodes in one process.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, also outside its #[test] function"
)]

mod common;

use std::collections::HashSet;
use std::time::Duration;

use common::cluster::{ALL, Cluster, PATIENCE, others};
use common::disk::Mood;
use farquorum_config::NodeId;
use farquorum_core::Command;
use farquorum_node::raft::{RaftError, deadline_in};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_proposals_at_once_are_applied_alike_and_survive() {
    let mut cluster = Cluster::new(&[]).await;
    let leader = cluster.leader_of(ALL).await;
    let names: Vec<_> = (0..1000).map(|n| format!("key-{n}")).collect();
    let set = futures::future::join_all(names.iter().map(|name| cluster.set(leader, name))).await;
    let indexes: HashSet<_> = set.into_iter().map(Result::unwrap).collect();
    assert_eq!(indexes.len(), 1000, "each has an entry of its own");
    let last = *indexes.iter().max().unwrap();
    cluster.agree(ALL, last).await;
    let before = cluster.handle(leader).view().state.kv_get(b"key-7").cloned();
    assert!(before.is_some());

    for id in ALL {
        cluster.stop(*id).await;
    }
    ALL.iter().for_each(|id| cluster.start(*id));
    let leader = cluster.leader_of(ALL).await;
    let view = cluster.handle(leader).read(deadline_in(PATIENCE)).await.unwrap();
    assert!(view.index >= last);
    assert!(names.iter().all(|name| view.state.kv_get(name.as_bytes()).is_some()));
    assert_eq!(view.state.kv_get(b"key-7").cloned(), before);
    cluster.agree(ALL, last).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_refuses_and_names_the_leader_but_reads() {
    let cluster = Cluster::new(&[]).await;
    let leader = cluster.leader_of(ALL).await;
    let index = cluster.set(leader, "a").await.unwrap();
    for follower in others(leader) {
        match cluster.set(follower, "b").await {
            Err(RaftError::NotLeader(it)) => assert_eq!(it.id, Some(NodeId(leader))),
            other => panic!("{other:?}"),
        }
        let view = cluster.handle(follower).read(deadline_in(PATIENCE)).await.unwrap();
        assert!(view.index >= index && view.state.kv_get(b"a").is_some());
        let transfer = cluster.handle(follower).transfer(None, deadline_in(PATIENCE)).await;
        assert!(matches!(transfer, Err(RaftError::NotLeader(_))), "{transfer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_stops_hands_over_and_comes_back_as_a_follower() {
    let mut cluster = Cluster::new(&[]).await;
    let first = cluster.leader_of(ALL).await;
    cluster.set(first, "a").await.unwrap();
    let rest = others(first);
    let term = cluster.handle(first).status().leader.term;
    cluster.stop(first).await;
    let second = cluster.leader_of(&rest).await;
    let status = cluster.handle(second).status();
    assert_eq!(status.leader.term, term + 1, "one vote, no election by timeout");
    let index = cluster.set_anywhere(&rest, "b").await;
    cluster.start(first);
    cluster.agree(ALL, index).await;
    assert_eq!(cluster.handle(second).status().leader, status.leader, "nobody was disturbed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_without_a_majority_commits_nothing() {
    let cluster = Cluster::new(&[]).await;
    let old = cluster.leader_of(ALL).await;
    let before = cluster.set(old, "a").await.unwrap();
    cluster.net.cut.lock().unwrap().insert(old);
    let lost = Command::KvSet { key: b"lost".to_vec(), value: vec![1] };
    let error = cluster.handle(old).propose(lost, deadline_in(Duration::from_millis(300))).await.unwrap_err();
    assert_eq!(error, RaftError::Deadline);
    let rest = others(old);
    let index = cluster.set_anywhere(&rest, "b").await;
    assert!(index > before && cluster.handle(old).view().state.kv_get(b"lost").is_none());
    let read = cluster.handle(old).read(deadline_in(Duration::from_millis(300))).await;
    assert!(read.is_err(), "no read without a majority");
    cluster.net.cut.lock().unwrap().clear();
    cluster.agree(ALL, index).await;
    assert!(ALL.iter().all(|id| cluster.handle(*id).view().state.kv_get(b"lost").is_none()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_away_longer_than_the_log_reaches_gets_a_snapshot() {
    let small = [("raft.snapshot_every_entries", "100"), ("raft.log_keep_entries", "10")];
    let mut cluster = Cluster::new(&small).await;
    let leader = cluster.leader_of(ALL).await;
    let [away, stays] = others(leader);
    let seen = cluster.set(leader, "first").await.unwrap();
    cluster.agree(ALL, seen).await;
    cluster.stop(away).await;
    let mut last = seen;
    for n in 0..500 {
        last = cluster.set_anywhere(&[leader, stays], &format!("key-{n}")).await;
    }
    let mut status = cluster.handle(leader).watch_status();
    let compacted = status.wait_for(|status| status.first_index > seen.0 + 100);
    tokio::time::timeout(PATIENCE, compacted).await.expect("the log is compacted").unwrap();
    cluster.start(away);
    last = last.max(cluster.set_anywhere(&[leader, stays], "while it catches up").await);
    cluster.agree(ALL, last).await;
    assert!(cluster.handle(away).status().first_index > seen.0 + 1, "by snapshot, not by entries");
    // Its log begins after the snapshot: what it restored must be on its disk too.
    cluster.stop(away).await;
    cluster.start(away);
    cluster.agree(ALL, last).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_proposals_are_refused_at_once() {
    let cluster = Cluster::new(&[("limits.proposals_max", "16")]).await;
    let leader = cluster.leader_of(ALL).await;
    cluster.set(leader, "a").await.unwrap();
    cluster.net.cut.lock().unwrap().insert(leader);
    let command = || Command::KvSet { key: b"k".to_vec(), value: vec![0] };
    let soon = deadline_in(Duration::from_millis(200));
    let results =
        futures::future::join_all((0..40).map(|_| cluster.handle(leader).propose(command(), soon))).await;
    let refused =
        results.iter().filter(|it| matches!(it, Err(RaftError::Overloaded { max: 16, .. }))).count();
    assert_eq!(refused, 24, "{results:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_write_ends_the_node_and_the_others_go_on() {
    let mut cluster = Cluster::new(&[]).await;
    let leader = cluster.leader_of(ALL).await;
    cluster.set(leader, "a").await.unwrap();
    cluster.disk(leader, Mood::Fails);
    let lost = cluster.set(leader, "b").await.unwrap_err();
    assert_eq!(lost, RaftError::Stopping);
    let parts = cluster.nodes.get_mut(&leader).unwrap();
    let failure = tokio::time::timeout(PATIENCE, parts.failed()).await.unwrap().to_string();
    assert!(failure.contains("a write to the log failed") && failure.contains("No space left"), "{failure}");
    cluster.set_anywhere(&others(leader), "c").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_with_a_stuck_disk_hands_over_and_refuses() {
    let cluster = Cluster::new(&[]).await;
    let stuck = cluster.leader_of(ALL).await;
    cluster.set(stuck, "a").await.unwrap();
    cluster.disk(stuck, Mood::Hangs);
    let waits = cluster.set(stuck, "b");
    let meanwhile = async {
        // The others take over and write; this node says who leads.
        let index = cluster.set_anywhere(&others(stuck), "c").await;
        loop {
            match cluster.set(stuck, "d").await {
                Err(RaftError::NotLeader(it)) if it.id.is_some() => {
                    break assert_ne!(it.id, Some(NodeId(stuck)));
                }
                Err(RaftError::NotLeader(_) | RaftError::DiskStuck { .. }) => tokio::task::yield_now().await,
                other => panic!("{other:?}"),
            }
        }
        cluster.disk(stuck, Mood::Well);
        cluster.agree(ALL, index).await;
    };
    let (waited, ()) = tokio::join!(waits, meanwhile);
    waited.expect("it was committed by the others, and applied here when the disk came back");
}
