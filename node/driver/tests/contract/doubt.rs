//! A node whose log was cut.

use farquorum_driver::eraftpb::{Message, MessageType};
use farquorum_driver::{Input, LogStore, Role};

use crate::cluster::{Cluster, propose, request, settings};

/// Three nodes with a few entries; node 2 has lost its tail and starts again, in doubt.
fn with_cut_log() -> Cluster {
    let mut cluster = Cluster::led_by_first(3);
    (1..=5).for_each(|counter| cluster.give(1, propose(counter)));
    let log = cluster.node(2).log.fork();
    log.cut(3);
    let third = cluster.nodes.pop().unwrap();
    cluster.nodes.pop();
    cluster.add(settings(2, &[1, 2, 3], &[]), log);
    cluster.nodes.push(third);
    cluster
}

#[test]
fn it_neither_votes_nor_campaigns() {
    let mut cluster = with_cut_log();
    cluster.cut.extend([1, 3]);
    (0..100).for_each(|_| cluster.tick(2));
    for kind in [MessageType::MsgRequestPreVote, MessageType::MsgRequestVote] {
        let mut vote = Message { from: 3, to: 2, term: 9, log_term: 9, index: 99, ..Message::default() };
        vote.set_msg_type(kind);
        cluster.sent.clear();
        cluster.give(2, Input::Message { from: 3, message: vote });
        assert_eq!(cluster.sent, []);
    }
    assert_eq!(cluster.role(2), Role::Follower);
}

#[test]
fn it_adds_to_no_majority_until_it_has_caught_up_with_a_leader_of_the_others() {
    let mut cluster = with_cut_log();
    let term = cluster.node(1).driver.status().term;
    cluster.tick_all(60);
    let status = cluster.node(2).driver.status();
    assert!(status.term > term, "the others elected again");
    assert!(!status.in_doubt && status.leader != Some(2), "{status:?}");
    assert!(!cluster.node(2).log.initial().unwrap().in_doubt, "the end of the doubt is stored");
}

#[test]
fn it_completes_no_majority() {
    let mut cluster = with_cut_log();
    let term = cluster.node(1).driver.status().term;
    let leads = |cluster: &mut Cluster, id| {
        let status = cluster.node(id).driver.status();
        status.role == Role::Leader && status.term > term
    };
    let elected = (0..60).find_map(|_| {
        cluster.tick_all(1);
        [1, 3].into_iter().find(|id| leads(&mut cluster, *id))
    });
    let leader = elected.expect("the others elect again");
    assert!(cluster.node(2).driver.status().in_doubt);
    cluster.cut.insert(4 - leader);
    let committed = cluster.node(leader).driver.status().committed;
    cluster.give(leader, propose(6));
    cluster.give(leader, Input::Read { id: request(1, 7) });
    let status = cluster.node(leader).driver.status();
    assert_eq!((status.committed, status.last_index), (committed, committed + 1));
    assert_eq!(cluster.node(2).driver.status().last_index, committed + 1, "it has the entry");
    assert_eq!(cluster.node(leader).replies, []);
}
