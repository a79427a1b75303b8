//! Messages that no honest peer sends: refused, and never a panic.

use farquorum_driver::eraftpb::{ConfState, Entry, Message, MessageType, Snapshot, SnapshotMetadata};
use farquorum_driver::{Input, check_message};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::cluster::{Cluster, propose};

fn message(kind: MessageType) -> Message {
    let mut message = Message { from: 2, to: 1, term: 1, ..Message::default() };
    message.set_msg_type(kind);
    message
}

fn entry(index: u64, term: u64) -> Entry {
    Entry { index, term, ..Entry::default() }
}

/// Each of these panics raft-rs 0.7.0, or makes it do what only the node itself may do.
fn bad_shapes() -> Vec<(&'static str, Message)> {
    use MessageType::*;
    let append = |index, log_term, entries| Message { index, log_term, entries, ..message(MsgAppend) };
    let snapshot = |index, term, voters| {
        let conf_state = Some(ConfState { voters, ..ConfState::default() });
        let metadata = Some(SnapshotMetadata { conf_state, index, term });
        Message { snapshot: Some(Snapshot { data: Vec::new(), metadata }), ..message(MsgSnapshot) }
    };
    let read = |term, data: &[u8]| {
        let entries = vec![Entry { data: data.to_vec(), ..Entry::default() }];
        Message { term, entries, ..message(MsgReadIndex) }
    };
    vec![
        ("unknown type", Message { msg_type: 99, ..message(MsgAppend) }),
        ("another sender", Message { from: 3, ..message(MsgHeartbeat) }),
        ("another receiver", Message { to: 3, ..message(MsgHeartbeat) }),
        ("no term", Message { term: 0, ..message(MsgHeartbeat) }),
        ("endless term", Message { term: u64::MAX, ..message(MsgHeartbeat) }),
        ("endless index", Message { index: u64::MAX, ..message(MsgAppendResponse) }),
        ("empty read", Message { term: 0, ..message(MsgReadIndex) }),
        ("read of another node", read(0, &[9; 16])),
        ("read with a term", read(1, &[0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1])),
        ("empty read answer", message(MsgReadIndexResp)),
        ("gap", append(1, 1, vec![entry(3, 1)])),
        ("falling term", append(1, 1, vec![entry(2, 1), entry(3, 0)])),
        ("term beyond its own", append(1, 1, vec![entry(2, 2)])),
        ("beyond the log without a term", append(50, 0, Vec::new())),
        ("unknown entry type", append(1, 1, vec![Entry { entry_type: 9, ..entry(2, 1) }])),
        ("snapshot without one", message(MsgSnapshot)),
        ("snapshot at nothing", snapshot(0, 1, vec![1])),
        ("snapshot without members", snapshot(5, 1, vec![])),
        ("snapshot with a member twice", snapshot(5, 1, vec![1, 1])),
        ("asks for a snapshot", Message { request_snapshot: 1, reject: true, ..message(MsgAppendResponse) }),
        ("propose", Message { term: 0, ..message(MsgPropose) }),
        ("transfer", message(MsgTransferLeader)),
        ("hup", message(MsgHup)),
        ("beat", message(MsgBeat)),
        ("unreachable", message(MsgUnreachable)),
        ("snapshot status", message(MsgSnapStatus)),
        ("check quorum", message(MsgCheckQuorum)),
    ]
}

#[test]
fn bad_shapes_are_refused() {
    for (what, message) in bad_shapes() {
        assert!(check_message(&message, 1, 2).is_err(), "{what}");
    }
    assert_eq!(check_message(&message(MessageType::MsgHeartbeat), 1, 2), Ok(()));
}

#[test]
fn what_contradicts_the_log_is_refused() {
    let mut cluster = Cluster::led_by_first(3);
    let term = cluster.node(1).driver.status().term;
    let cases = [
        (
            2,
            "commit beyond the log",
            Message { from: 1, to: 2, term, commit: 9, ..message(MessageType::MsgHeartbeat) },
        ),
        (2, "a second leader", Message { from: 3, to: 2, term, ..message(MessageType::MsgHeartbeat) }),
        (1, "match beyond the log", Message { term, index: 9, ..message(MessageType::MsgAppendResponse) }),
    ];
    for (node, what, message) in cases {
        let from = message.from;
        let refused = cluster.node(node).driver.step(Input::Message { from, message });
        assert!(refused.is_err(), "{what}");
        cluster.settle();
    }
}

/// Honest messages with fields changed at random, to a node in each role: refused or taken, never a panic.
#[test]
fn mutated_messages_never_panic() {
    let mut honest = Cluster::led_by_first(3);
    (1..=20).for_each(|counter| honest.give(1, propose(counter)));
    honest.give(2, Input::Read { id: crate::cluster::request(2, 1) });
    honest.cut.insert(1);
    honest.tick_until_leader(2);
    let samples: Vec<Message> =
        honest.sent.iter().cloned().chain(bad_shapes().into_iter().map(|bad| bad.1)).collect();
    for seed in 0..400 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut cluster = Cluster::led_by_first(3);
        cluster.give(1, propose(1));
        for _ in 0..200 {
            let mut message = samples[rng.random_range(0..samples.len())].clone();
            mutate(&mut message, &mut rng);
            let to = rng.random_range(1..4);
            (message.to, message.from) = (to, if to == 1 { 2 } else { 1 });
            let node = cluster.node(to);
            node.disk_held = rng.random_range(0..4) == 0;
            let from = message.from;
            let _ = node.driver.step(Input::Message { from, message });
            if rng.random_range(0..3) == 0 {
                cluster_turn(&mut cluster, to, &mut rng);
            }
        }
    }
}

/// The attacked node acts on what it took; what it says goes nowhere, since its state may be what no honest run has.
fn cluster_turn(cluster: &mut Cluster, id: u64, rng: &mut ChaCha8Rng) {
    cluster.cut.extend([1, 2, 3]);
    for _ in 0..rng.random_range(0..30) {
        cluster.tick(id);
    }
    if rng.random_range(0..2) == 0 {
        cluster.release_disk(id);
    }
}

fn mutate(message: &mut Message, rng: &mut ChaCha8Rng) {
    for _ in 0..rng.random_range(0..4) {
        let number = match rng.random_range(0..5) {
            0 => 0,
            1 => u64::MAX,
            2 => 1 << 62,
            _ => rng.random_range(0..40),
        };
        match rng.random_range(0..13) {
            0 => message.msg_type = rng.random_range(0..20),
            1 => message.term = number,
            2 => message.index = number,
            3 => message.log_term = number,
            4 => message.commit = number,
            5 => message.commit_term = number,
            6 => message.reject_hint = number,
            7 => message.reject = !message.reject,
            8 => message.entries.clear(),
            9 => message.entries.push(entry(number, rng.random_range(0..4))),
            10 => message.context = vec![7; rng.random_range(0..20)],
            11 => message.snapshot = None,
            _ => message.term = rng.random_range(1..5),
        }
    }
}
