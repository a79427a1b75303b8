//! What waits for the disk, what does not, and a disk that never answers.

use farquorum_driver::eraftpb::{Message, MessageType};
use farquorum_driver::{Input, Refusal, Reply, Role};

use crate::cluster::{Cluster, propose, request, settings};

fn kinds(sent: &[Message], from: u64) -> Vec<MessageType> {
    sent.iter().filter(|message| message.from == from).map(Message::get_msg_type).collect()
}

#[test]
fn an_append_is_acknowledged_after_its_write_and_a_heartbeat_at_once() {
    let mut cluster = Cluster::led_by_first(3);
    cluster.node(2).disk_held = true;
    cluster.sent.clear();
    cluster.give(1, propose(1));
    assert_eq!(kinds(&cluster.sent, 2), []);
    cluster.tick(1);
    assert_eq!(kinds(&cluster.sent, 2), [MessageType::MsgHeartbeatResponse]);
    cluster.release_disk(2);
    assert!(kinds(&cluster.sent, 2).contains(&MessageType::MsgAppendResponse));
}

#[test]
fn while_a_vote_is_written_nothing_leaves() {
    let mut cluster = Cluster::led_by_first(3);
    cluster.node(3).disk_held = true;
    cluster.cut.insert(1);
    cluster.node(3).unwritten.clear();
    (0..40).for_each(|_| cluster.tick(3));
    // The answer to node 2's campaign in a new term, and to its heartbeats then, wait for the vote.
    let mut vote = Message { from: 2, to: 3, term: 9, log_term: 9, index: 9, ..Message::default() };
    vote.set_msg_type(MessageType::MsgRequestVote);
    cluster.sent.clear();
    cluster.give(3, Input::Message { from: 2, message: vote });
    let mut beat = Message { from: 2, to: 3, term: 9, ..Message::default() };
    beat.set_msg_type(MessageType::MsgHeartbeat);
    cluster.give(3, Input::Message { from: 2, message: beat });
    assert_eq!(kinds(&cluster.sent, 3), []);
    cluster.release_disk(3);
    let sent = kinds(&cluster.sent, 3);
    assert!(
        sent.ends_with(&[MessageType::MsgRequestVoteResponse, MessageType::MsgHeartbeatResponse]),
        "{sent:?}"
    );
}

#[test]
fn a_sole_voter_sends_nothing_in_a_term_that_is_not_durable() {
    let mut cluster = Cluster::new((1..=2).map(|id| settings(id, &[1], &[2])).collect());
    cluster.node(1).disk_held = true;
    for _ in 0..30 {
        cluster.tick(1);
    }
    assert_eq!((cluster.role(1), kinds(&cluster.sent, 1)), (Role::Leader, vec![]));
    cluster.release_disk(1);
    assert!(kinds(&cluster.sent, 1).contains(&MessageType::MsgAppend));
}

#[test]
fn a_leader_with_a_stuck_disk_hands_over_and_refuses_proposals() {
    let mut cluster = Cluster::led_by_first(3);
    cluster.node(1).disk_held = true;
    cluster.cut.extend([2, 3]);
    cluster.give(1, propose(1));
    for _ in 0..10 {
        cluster.tick(1);
    }
    assert_eq!(cluster.node(1).driver.status().disk_wait_ticks, 10);
    cluster.cut.clear();
    cluster.tick_all(1);
    cluster.node(1).driver.step(propose(2)).unwrap();
    cluster.settle();
    assert!(cluster.role(2) == Role::Leader || cluster.role(3) == Role::Leader);
    let [Reply::Refused { id, why }] = cluster.node(1).replies[..] else { panic!("one answer") };
    assert_eq!(id, request(1, 2));
    assert!(matches!(why, Refusal::DiskStuck | Refusal::NotLeader { .. }), "{why:?}");
    // It does not campaign either, however long the others are silent.
    cluster.cut.extend([2, 3]);
    (0..60).for_each(|_| cluster.tick(1));
    assert_eq!(cluster.role(1), Role::Follower);
}
