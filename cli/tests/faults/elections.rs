//! NODE-2, NODE-4, NODE-5: one leader per term, a new one after a kill, none lost on a bad link or in a graceful restart.

use std::time::Duration;

use crate::lab::writes::{Crowd, History};
use crate::lab::{self, Lab, Sim, Terms, await_that};
use crate::run;

/// Leaders that are killed in a row.
const KILLS: usize = 6;

/// NODE-2: a new leader within this time after a kill.
const ELECTION_MAX: Duration = Duration::from_secs(5);

#[test]
fn a_killed_leader_is_replaced_and_no_term_has_two() {
    let Some(sim) = Sim::up(&[]) else { return };
    run(async {
        let terms = Terms::watch(&sim);
        let mut term = 0;
        for _ in 0..KILLS {
            let (old, _) = sim.leader().await;
            assert!(old.term > term, "a new leader has a new term");
            term = old.term;
            sim.verb(&["kill", "leader"]);
            let (new, took) = sim.leader_other_than(&old.name).await;
            println!("killed {} (term {term}): {} leads after {} ms", old.name, new.name, took.as_millis());
            assert!(took <= ELECTION_MAX, "{took:?}");
            sim.verb(&["restart", &old.name]);
            sim.agreed(30).await;
        }
        let seen = terms.end(&sim).await;
        println!("{} samples; leaders by term: {:?}", seen.answers, seen.leaders);
        assert!(seen.leaders.values().filter(|leaders| !leaders.is_empty()).count() > KILLS);
    });
}

/// 300 ms round trip, 50 ms jitter and 5 % loss on every link between clouds; timing is derived from it.
const BAD_LINKS: &str = r#"
[clouds.aws]
network = "10.10.0.0/24"
[clouds.gcp]
network = "10.20.0.0/24"
[clouds.azure]
network = "10.30.0.0/24"
[[links]]
between = ["aws", "gcp"]
rtt_ms = 300
jitter_ms = 50
loss = 0.05
[[links]]
between = ["aws", "azure"]
rtt_ms = 300
jitter_ms = 50
loss = 0.05
[[links]]
between = ["gcp", "azure"]
rtt_ms = 300
jitter_ms = 50
loss = 0.05
[[nodes]]
id = 1
name = "cp-aws-1"
cloud = "aws"
address = "10.10.0.11"
[[nodes]]
id = 2
name = "cp-gcp-1"
cloud = "gcp"
address = "10.20.0.11"
[[nodes]]
id = 3
name = "cp-azure-1"
cloud = "azure"
address = "10.30.0.11"
[storage]
bucket = "pipeline-data"
cloud = "aws"
address = "10.10.0.31"
[raft]
bootstrap = true
"#;

/// How long leadership must hold.
const BAD_LINKS_FOR: Duration = Duration::from_secs(20);

#[test]
fn leadership_holds_on_slow_lossy_links() {
    let Some(lab) = Lab::enter() else { return };
    let config = lab::file(&lab, "bad-links.toml", BAD_LINKS);
    let sim = lab.up(&["--config", &config]);
    run(async {
        let (first, _) = sim.leader().await;
        let terms = Terms::watch(&sim);
        let cluster = sim.cluster(30.0);
        let crowd = Crowd::start(&[cluster], 8, u64::MAX, "lossy/");
        // Not a wait for something: the requirement is about a span of time.
        tokio::time::sleep(BAD_LINKS_FOR).await;
        let written = crowd.acknowledged();
        drop(crowd);
        let seen = terms.end(&sim).await;
        let (last, _) = sim.leader().await;
        println!(
            "{written} writes in 20 s; led by {} in term {}, then {}",
            first.name, first.term, last.term
        );
        assert!(written > 0);
        assert_eq!((last.name, last.term), (first.name, first.term), "{:?}", seen.leaders);
    });
}

/// The election timeout of the test below, ms: no restart may interrupt writes for as long.
const ELECTION_TIMEOUT_MS: u64 = 1000;

#[test]
fn a_graceful_restart_of_the_leader_fails_no_write() {
    let timeout = format!("raft.election_timeout_ms={ELECTION_TIMEOUT_MS}");
    let Some(sim) = Sim::up(&["--set", &timeout]) else { return };
    run(async {
        let cluster = sim.cluster(10.0);
        for _ in 0..3 {
            let (old, _) = sim.leader().await;
            let crowd =
                Crowd::start(std::slice::from_ref(&cluster), 4, 150, &format!("restart/{}/", old.term));
            await_that("the first writes", 30, || async { (crowd.acknowledged() >= 30).then_some(()) }).await;
            sim.verb(&["restart", &old.name]);
            await_that("all writes", 30, || async { (crowd.acknowledged() >= 150).then_some(()) }).await;
            let history: History = crowd.end().await;
            let (new, _) = sim.leader().await;
            let gap = history.longest_gap();
            println!("restarted {}: {} leads; longest gap {} ms", old.name, new.name, gap.as_millis());
            assert!(history.failed.is_empty(), "{:?}", history.failed);
            assert_ne!(old.name, new.name, "leadership was handed over");
            assert_eq!(old.term + 1, new.term, "one transfer, and no election after it");
            assert!(gap < Duration::from_millis(ELECTION_TIMEOUT_MS), "{gap:?}");
            sim.agreed(30).await;
        }
    });
}
