//! NODE-3: a partition of any shape: the minority acknowledges nothing, the majority goes on, and after it all agree.

use std::time::{Duration, Instant};

use farquorum_client::ClientError;

use crate::lab::writes::{History, read_all};
use crate::lab::{RaftState, Sim, Terms, await_that};
use crate::run;

/// Who cannot send to whom. `L` is the leader at the time, `A` and `B` are the two others.
struct Case {
    name: &'static str,
    /// Directed pairs: sender, receiver.
    cuts: &'static [(char, char)],
    /// Whether another node must take over.
    new_leader: bool,
}

const CASES: &[Case] = &[
    Case {
        name: "full: the leader alone",
        cuts: &[('L', 'A'), ('A', 'L'), ('L', 'B'), ('B', 'L')],
        new_leader: true,
    },
    Case { name: "one way: nobody hears the leader", cuts: &[('L', 'A'), ('L', 'B')], new_leader: true },
    Case { name: "one way: the leader hears nobody", cuts: &[('A', 'L'), ('B', 'L')], new_leader: true },
    Case {
        name: "full: a follower alone",
        cuts: &[('A', 'L'), ('L', 'A'), ('A', 'B'), ('B', 'A')],
        new_leader: false,
    },
    Case { name: "bridge: B sees both, L and A do not", cuts: &[('L', 'A'), ('A', 'L')], new_leader: false },
    Case { name: "bridge: L sees both, A and B do not", cuts: &[('A', 'B'), ('B', 'A')], new_leader: false },
];

/// Deadline of a write to the minority.
const DEADLINE: Duration = Duration::from_secs(2);
/// Writes of the majority while the partition holds: many election timeouts long.
const WRITES: usize = 50;
/// Terms that one partition may cost: an election, and a few more that were split. Flapping would cost one every second.
const TERMS_MAX: u64 = 4;

#[test]
fn partitions_cost_the_minority_its_writes_and_nobody_else() {
    let Some(sim) = Sim::up(&[]) else { return };
    run(async {
        let terms = Terms::watch(&sim);
        for (number, case) in CASES.iter().enumerate() {
            partition(&sim, number, case).await;
        }
        terms.end(&sim).await;
    });
}

async fn partition(sim: &Sim, number: usize, case: &Case) {
    let (old, _) = sim.leader().await;
    let others: Vec<String> = sim.nodes().into_iter().filter(|node| *node != old.name).collect();
    let name = |letter: char| match letter {
        'L' => old.name.as_str(),
        'A' => others[0].as_str(),
        _ => others[1].as_str(),
    };
    for (from, to) in case.cuts {
        sim.verb(&["cut", name(*from), name(*to)]);
    }
    let prefix = format!("partition/{number}/");
    let ((leader, took), refused) = if case.new_leader {
        tokio::join!(sim.leader_other_than(&old.name), refused_by(sim, name('L'), &prefix))
    } else {
        (sim.leader().await, Vec::new())
    };
    let history = write_majority(sim, &leader, &prefix).await;
    let (during, _) = sim.leader().await;
    assert_eq!((&during.name, during.term), (&leader.name, leader.term), "{}: leaders flap", case.name);
    sim.heal_all();
    let (states, healed) = sim.agreed(30).await;
    let (after, _) = sim.leader().await;
    assert!(after.term <= old.term + TERMS_MAX, "{}: term {} became {}", case.name, old.term, after.term);
    let store = read_all(&sim.cluster(10.0), &prefix).await;
    history.is_in(&store);
    let mute = [('L', 'A'), ('L', 'B')].iter().all(|pair| case.cuts.contains(pair));
    for (key, error) in refused {
        // What an old leader still sent can be committed by the new one: then its outcome was called unknown.
        let may_be = !mute && matches!(error, ClientError::OutcomeUnknown { .. });
        assert!(may_be || !store.contains_key(&key), "{}: {key} is committed, after: {error}", case.name);
    }
    println!(
        "{}: {} led after {} ms; term {} became {}; longest gap {} ms; equal hash at {} {} ms after healing",
        case.name,
        leader.name,
        took.as_millis(),
        old.term,
        after.term,
        history.longest_gap().as_millis(),
        states[0].applied,
        healed.as_millis()
    );
}

/// Writes to the node that was cut off: each ends by its deadline with an error that says what is known.
async fn refused_by(sim: &Sim, node: &str, prefix: &str) -> Vec<(String, ClientError)> {
    let cluster = sim.cluster_of(&[node], DEADLINE.as_secs_f64());
    let mut refused = Vec::new();
    for number in 0..3 {
        let key = format!("{prefix}minority/{number}");
        let start = Instant::now();
        let error = cluster.kv().set(key.clone(), "lost").await.unwrap_err();
        let took = start.elapsed();
        assert!(took < DEADLINE * 2, "{took:?}: {error}");
        let typed = matches!(error, ClientError::NotAvailable { .. } | ClientError::OutcomeUnknown { .. });
        assert!(typed, "{error}");
        refused.push((key, error));
    }
    refused
}

/// Writes one after another through the leader's side.
async fn write_majority(sim: &Sim, leader: &RaftState, prefix: &str) -> History {
    let cluster = sim.cluster_of(&[&leader.name], 10.0);
    let mut history = History::default();
    let (probe, _) = await_that("a write of the majority", 30, || async {
        cluster.kv().set(format!("{prefix}probe"), "written").await.ok()
    })
    .await;
    assert!(probe.revision > 0);
    for number in 0..WRITES {
        history.write(&cluster, format!("{prefix}{number}"), format!("value {number}")).await;
    }
    assert!(history.failed.is_empty(), "{:?}", history.failed);
    history.revisions_follow_real_time();
    history
}
