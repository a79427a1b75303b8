//! Snapshots, fetches, and changes of members.

use farquorum_driver::eraftpb::{ConfChangeSingle, ConfChangeType, ConfChangeV2, ConfState};
use farquorum_driver::{Compact, Input, LogStore, Refusal, Reply, Role, Settings};

use crate::cluster::{Cluster, propose, request, settings};

fn compact(cluster: &mut Cluster, id: u64, keep: u64) {
    let status = cluster.node(id).driver.status();
    let (index, conf_state) = (status.applied, status.conf_state);
    cluster.give(id, Input::Compact(Compact { index, conf_state, data: "state".into(), keep }));
}

#[test]
fn a_follower_behind_the_log_asks_for_a_snapshot_and_gets_it() {
    let mut cluster = Cluster::led_by_first(3);
    cluster.cut.insert(3);
    (1..=20).for_each(|counter| cluster.give(1, propose(counter)));
    compact(&mut cluster, 1, 0);
    cluster.cut.clear();
    cluster.tick_all(4);
    let committed = cluster.node(1).driver.status().committed;
    let third = cluster.node(3).driver.status();
    assert_eq!((third.committed, third.truncated), (committed, committed));
    assert_eq!(cluster.node(3).restored[0].data, "state");
    assert_eq!(cluster.node(3).log.initial().unwrap().truncated.index, committed);
    cluster.give(1, propose(21));
    cluster.tick_all(1);
    assert_eq!(cluster.node(3).applied.last().unwrap().index, committed + 1);
}

#[test]
fn the_log_is_truncated_by_one_write_at_a_time() {
    let mut cluster = Cluster::led_by_first(3);
    (1..=20).for_each(|counter| cluster.give(1, propose(counter)));
    cluster.node(1).disk_held = true;
    // The second would move the truncated position back: what the first removes is not removed yet.
    [0, 10].into_iter().for_each(|keep| compact(&mut cluster, 1, keep));
    let node = cluster.node(1);
    let compactions = node.unwritten.iter().filter(|write| write.compaction.is_some()).count();
    assert_eq!((compactions, node.driver.status().truncated), (1, 1));
    cluster.release_disk(1);
    let node = cluster.node(1);
    let (truncated, applied) = (node.driver.status().truncated, node.driver.status().applied);
    assert_eq!((truncated, node.log.initial().unwrap().truncated.index), (applied, applied));
}

#[test]
fn a_node_does_not_campaign_before_it_has_restored_its_snapshot() {
    let mut cluster = Cluster::led_by_first(3);
    cluster.cut.insert(3);
    (1..=20).for_each(|counter| cluster.give(1, propose(counter)));
    compact(&mut cluster, 1, 0);
    cluster.node(3).applier_held = true;
    cluster.cut.clear();
    cluster.tick_all(4);
    cluster.cut.extend([1, 2]);
    (0..100).for_each(|_| cluster.tick(3));
    let status = cluster.node(3).driver.status();
    assert_eq!((status.role, status.applied < status.truncated), (Role::Follower, true));
}

#[test]
fn entries_no_longer_in_memory_are_fetched_beside_the_loop() {
    let cold = |id| Settings { tail_bytes_max: 0, message_bytes_max: 100, ..settings(id, &[1, 2, 3], &[]) };
    let mut cluster = Cluster::new((1..=3).map(cold).collect());
    cluster.tick_until_leader(1);
    cluster.cut.insert(3);
    (1..=50).for_each(|counter| cluster.give(1, propose(counter)));
    cluster.cut.clear();
    cluster.tick_all(4);
    assert!(cluster.node(1).fetches > 0);
    assert_eq!(cluster.nodes[3 - 1].applied, cluster.nodes[1 - 1].applied);
}

fn change(kind: ConfChangeType, node_id: u64) -> ConfChangeV2 {
    let mut single = ConfChangeSingle { node_id, ..ConfChangeSingle::default() };
    single.set_change_type(kind);
    ConfChangeV2 { changes: vec![single], ..ConfChangeV2::default() }
}

#[test]
fn a_learner_is_added_caught_up_promoted_and_the_leader_removed() {
    let mut cluster = Cluster::led_by_first(3);
    let steps = [
        (ConfChangeType::AddLearnerNode, 4, vec![1, 2, 3], vec![4]),
        (ConfChangeType::AddNode, 4, vec![1, 2, 3, 4], vec![]),
        (ConfChangeType::RemoveNode, 1, vec![2, 3, 4], vec![]),
    ];
    let joining = Settings { bootstrap: None, ..settings(4, &[], &[]) };
    cluster.add(joining, Default::default());
    for (counter, (kind, node, voters, learners)) in (1..).zip(steps) {
        let change = change(kind, node);
        cluster.give(1, Input::ProposeConfChange { id: request(1, counter), change });
        cluster.tick_all(4);
        if std::mem::take(&mut cluster.node(1).want_snapshot) {
            // The only snapshot is from before node 4 was a member.
            compact(&mut cluster, 1, 100);
            cluster.tick_all(4);
        }
        let sorted = |mut conf: ConfState| {
            conf.voters.sort_unstable();
            (conf.voters, conf.learners)
        };
        for id in 2..=4 {
            let stored = cluster.node(id).log.initial().unwrap().conf_state;
            assert_eq!(sorted(stored), (voters.clone(), learners.clone()), "node {id} after {kind:?}");
        }
    }
    cluster.cut.insert(1);
    cluster.tick_until_leader(2);
    cluster.give(2, propose(9));
    assert_eq!(cluster.nodes[4 - 1].applied.last(), cluster.nodes[2 - 1].applied.last());
    assert_eq!(cluster.node(4).restored[0].data, "state");
}

#[test]
fn a_second_change_of_members_waits_for_the_first() {
    let mut cluster = Cluster::led_by_first(3);
    cluster.cut.extend([2, 3]);
    for counter in 1..=2 {
        let change = change(ConfChangeType::AddLearnerNode, 3 + counter);
        cluster.give(1, Input::ProposeConfChange { id: request(1, counter), change });
    }
    let why = Refusal::ConfChangePending;
    assert_eq!(cluster.node(1).replies, [Reply::Refused { id: request(1, 2), why }]);
}
