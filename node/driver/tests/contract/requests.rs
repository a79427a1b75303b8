//! Proposals and reads.

use farquorum_driver::eraftpb::MessageType;
use farquorum_driver::{Input, Refusal, Reply, RequestId, Role, Settings};

use crate::cluster::{Cluster, propose, request, settings};

#[test]
fn three_hundred_proposals_of_one_turn_are_one_message_to_each_follower() {
    let mut cluster = Cluster::led_by_first(3);
    cluster.sent.clear();
    for counter in 1..=300 {
        cluster.node(1).driver.step(propose(counter)).unwrap();
    }
    cluster.settle();
    let appends = cluster.sent.iter().filter(|message| message.get_msg_type() == MessageType::MsgAppend);
    let sizes: Vec<_> = appends.map(|message| message.entries.len()).filter(|entries| *entries > 0).collect();
    assert_eq!(sizes, [300, 300]);
    let ids: Vec<_> = cluster.node(2).applied.iter().filter_map(RequestId::of_entry).collect();
    assert_eq!(ids, (1..=300).map(|counter| request(1, counter)).collect::<Vec<_>>());
}

#[test]
fn a_follower_refuses_proposals_and_names_the_leader() {
    let mut cluster = Cluster::led_by_first(3);
    cluster.sent.clear();
    cluster.give(2, propose(7));
    let why = Refusal::NotLeader { leader: Some(1) };
    assert_eq!(cluster.node(2).replies, [Reply::Refused { id: request(1, 7), why }]);
    assert_eq!(cluster.sent, []);
}

#[test]
fn an_uncommitted_backlog_is_refused_as_overload() {
    let small =
        |id| Settings { uncommitted_bytes_max: 20, message_bytes_max: 20, ..settings(id, &[1, 2, 3], &[]) };
    let mut cluster = Cluster::new((1..=3).map(small).collect());
    cluster.tick_until_leader(1);
    cluster.cut.extend([2, 3]);
    (1..=3).for_each(|counter| cluster.give(1, propose(counter)));
    let why = Refusal::Overloaded;
    assert_eq!(cluster.node(1).replies, [Reply::Refused { id: request(1, 3), why }]);
}

#[test]
fn a_proposal_is_called_lost_only_when_another_entry_took_its_place() {
    let mut cluster = Cluster::led_by_first(3);
    cluster.cut.insert(1);
    cluster.give(1, propose(1));
    cluster.tick_until_leader(2);
    cluster.give(2, Input::Propose { id: request(2, 1), data: "other".into() });
    assert_eq!(cluster.node(1).replies, []);
    cluster.cut.clear();
    cluster.tick_all(3);
    let why = Refusal::LostLeadership;
    assert_eq!(cluster.node(1).replies, [Reply::Refused { id: request(1, 1), why }]);
}

#[test]
fn all_reads_of_one_turn_are_one_round_and_followers_can_ask() {
    let mut cluster = Cluster::led_by_first(3);
    cluster.give(1, propose(1));
    for id in [1, 3] {
        cluster.sent.clear();
        for counter in 10..60 {
            cluster.node(id).driver.step(Input::Read { id: request(1, counter) }).unwrap();
        }
        cluster.settle();
        let beats = cluster.sent.iter().filter(|message| message.get_msg_type() == MessageType::MsgHeartbeat);
        assert_eq!(beats.count(), 2, "one round is one heartbeat to each follower");
        let index = cluster.node(1).driver.status().committed;
        let ready = |counter| Reply::ReadReady { id: request(1, counter), index };
        assert_eq!(cluster.node(id).replies, (10..60).map(ready).collect::<Vec<_>>());
    }
}

#[test]
fn a_read_at_a_follower_waits_for_the_first_commit_of_the_term() {
    let mut cluster = Cluster::new((1..=3).map(|id| settings(id, &[1, 2, 3], &[])).collect());
    cluster.lost.insert(MessageType::MsgAppend);
    cluster.tick_until_leader(1);
    cluster.give(3, Input::Read { id: request(3, 1) });
    assert_eq!(cluster.node(3).replies, []);
    cluster.lost.clear();
    cluster.tick_all(3);
    let index = cluster.node(1).driver.status().committed;
    assert_eq!(cluster.node(3).replies, [Reply::ReadReady { id: request(3, 1), index }]);
}

#[test]
fn a_read_without_an_answer_ends_by_timeout() {
    let mut cluster = Cluster::led_by_first(3);
    cluster.cut.insert(1);
    cluster.give(3, Input::Read { id: request(3, 1) });
    // Two election timeouts; node 3 itself would campaign after 19 ticks and give it up then.
    (0..20).for_each(|_| cluster.tick(3));
    let [Reply::Refused { id, why }] = cluster.node(3).replies[..] else { panic!("one answer") };
    assert_eq!((id, why), (request(3, 1), Refusal::LostLeadership));
}

#[test]
fn leadership_goes_to_the_most_caught_up_voter() {
    let mut cluster = Cluster::led_by_first(3);
    cluster.cut.insert(3);
    cluster.give(1, propose(1));
    cluster.cut.clear();
    cluster.give(1, Input::TransferLeader { to: None });
    assert_eq!((cluster.role(2), cluster.role(1)), (Role::Leader, Role::Follower));
}
