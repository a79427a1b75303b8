//! Nobody who writes notices a rollout: no write fails, and none waits longer than a requirement allows.

use std::time::Duration;

use crate::lab::ran::Ran;
use crate::lab::writes::{Crowd, History, read_all};
use crate::lab::{Sim, await_that};
use crate::{rollout, run};

/// DEP-4: writes may pause for at most this long. The goal is a tenth of it.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Writers at once.
const WRITERS: usize = 4;

#[test]
fn every_write_during_a_rollout_is_acknowledged() {
    let Some(sim) = Sim::up(&[]) else { return };
    run(async {
        // The first one named, so that its turn is last for no other reason than that it leads.
        let first = sim.nodes()[0].clone();
        if sim.leader().await.0.name != first {
            sim.ok(&["transfer", &first]);
        }
        let (old, _) = await_that("the first node leads", 30, || async {
            Some(sim.leader().await.0).filter(|leader| leader.name == first)
        })
        .await;
        let cluster = sim.cluster(10.0);
        let crowd = Crowd::start(std::slice::from_ref(&cluster), WRITERS, u64::MAX, "rollout/");
        await_that("the first writes", 30, || async { (crowd.acknowledged() >= 30).then_some(()) }).await;
        let ran = background(rollout(&sim, &["apply", "-o", "json"])).await.code(0);
        println!("{}", ran.err);
        let at_the_end = crowd.acknowledged();
        await_that("writes afterwards", 30, || async {
            (crowd.acknowledged() >= at_the_end + 30).then_some(())
        })
        .await;
        let history = crowd.stop().await;
        every_node_was_updated(&sim, &ran, &old.name);
        let (new, _) = sim.leader().await;
        let pause = history.longest_gap();
        println!(
            "{} writes, 0 may fail: {} failed; longest pause {} ms; led by {} (term {}), then {} (term {})",
            history.done.len(),
            history.failed.len(),
            pause.as_millis(),
            old.name,
            old.term,
            new.name,
            new.term
        );
        assert!(history.failed.is_empty(), "{:?}", history.failed);
        assert!(pause <= PAUSE_MAX, "{pause:?}");
        assert_eq!((old.term + 1, old.name == new.name), (new.term, false), "one transfer, and no election");
        all_is_there(&cluster, &history).await;
        sim.agreed(30).await;
    });
}

/// The report says so, and in this order: the leader last.
fn every_node_was_updated(sim: &Sim, ran: &Ran, leader: &str) {
    let report = ran.json();
    assert_eq!(report["outcome"], "updated", "{report}");
    let hosts = report["hosts"].as_array().unwrap();
    assert_eq!(hosts.len(), sim.nodes().len());
    for host in hosts {
        assert_eq!((&host["state"], &host["restarted"]), (&"updated".into(), &true.into()), "{host}");
        assert_eq!(host["version_before"], host["version_after"], "{host}");
    }
    let begun: Vec<&str> =
        ran.err.lines().filter_map(|line| line.split_once(": update: ")).map(|(name, _)| name).collect();
    assert_eq!((begun.len(), begun.last()), (hosts.len(), Some(&leader)), "{}", ran.err);
}

async fn all_is_there(cluster: &farquorum_client::Cluster, history: &History) {
    history.revisions_follow_real_time();
    history.is_in(&read_all(cluster, "rollout/").await);
}

/// Runs a command to its end, while the runtime does something else.
pub(crate) async fn background(command: std::process::Command) -> Ran {
    tokio::task::spawn_blocking(|| crate::lab::ran::run(command)).await.unwrap()
}
