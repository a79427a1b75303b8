//! `farquorum storage check` (STO-2), and a task for one worker, which it rests on.

use serde_json::{Value, json};

use crate::lab::{Sim, await_that};
use crate::ran;

/// What is looked at of each place.
fn places(checks: &Value) -> Vec<(String, String)> {
    let plain = |value: &Value| value.as_str().unwrap().to_owned();
    let checks = checks["checks"].as_array().unwrap();
    checks.iter().map(|check| (plain(&check["from"]), plain(&check["state"]))).collect()
}

fn workers(sim: &Sim) -> Vec<String> {
    let list = sim.json(&["worker", "list"]);
    list["workers"].as_array().unwrap().iter().map(|w| w["name"].as_str().unwrap().to_owned()).collect()
}

/// Every place checks for itself: its own bytes, its own checksum.
pub(crate) fn from_every_place(sim: &Sim) {
    let workers = workers(sim);
    let checks = sim.json(&["storage", "check"]);
    let expected = ["this machine".to_owned()].into_iter().chain(workers.clone());
    assert_eq!(places(&checks), expected.map(|place| (place, "checked".to_owned())).collect::<Vec<_>>());
    let mut sums: Vec<&str> = Vec::new();
    for check in checks["checks"].as_array().unwrap() {
        let report = &check["report"];
        assert_eq!(
            (&check["ok"], &report["intact"], &report["bytes"]),
            (&json!(true), &json!(true), &json!(1_000_000))
        );
        assert_eq!(report["conditional_create"], "honoured");
        sums.push(report["sha256"].as_str().unwrap());
    }
    sums.sort_unstable();
    sums.dedup();
    assert_eq!(sums.len(), workers.len() + 1, "two places wrote the same random bytes: {sums:?}");
    let local = ran(sim, &["storage", "check", "--local"]).ok().text();
    assert!(local.starts_with("from this machine\n") && local.matches("from ").count() == 1, "{local}");
    ran(sim, &["storage", "check", "--local", "--wait", "1"]).code(2).says(&["cannot be used with"]);
}

/// A task for a worker that is away waits for it. A check does not wait for ever, and says who did not answer; then who
/// is offline. Nothing of it is left for the worker when it comes back.
pub(crate) fn workers_that_are_away(sim: &Sim) {
    const AWAY: &str = "worker-gcp-1";
    let yes = r#"{"argv": ["true"]}"#;
    ran(sim, &["task", "submit", "command", yes, "--worker", "worker-mars-1"])
        .code(2)
        .says(&["worker worker-mars-1, which is not registered; registered: worker-"]);
    sim.verb(&["pause", AWAY]);
    let submit = ["task", "submit", "command", yes, "--worker", AWAY];
    ran(sim, &submit).ok().prints(&["state     pending", "only on   worker-gcp-1"]);
    let checks = ran(sim, &["storage", "check", "--wait", "12", "-o", "json"]).code(1);
    let checks = checks.says(&["not known from worker-gcp-1 (no answer)"]).json();
    let away: Vec<_> = places(&checks).into_iter().filter(|(_, state)| state != "checked").collect();
    assert_eq!(away, [(AWAY.to_owned(), "no answer".to_owned())]);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let state = |name: &'static str| {
        let look = move || async move {
            let state = sim.cluster_state().await?;
            let worker = state["workers"].as_array()?.iter().find(|w| w["worker_id"] == AWAY)?.clone();
            (worker["status"] == name).then_some(())
        };
        runtime.block_on(await_that(name, 30, look));
    };
    state("offline");
    ran(sim, &["storage", "check"])
        .code(1)
        .prints(&["from worker-gcp-1 (gcp)\nnot checked         offline: the cluster has not heard of it"])
        .says(&["not known from worker-gcp-1 (offline)", "farquorum worker list"]);
    sim.verb(&["resume", AWAY]);
    state("healthy");
    runtime.block_on(await_that("the task that waited for its worker", 30, || async {
        let tasks = sim.json(&["task", "list", "--worker", AWAY, "--state", "completed"]);
        let done = |task: &&Value| task["only_worker"] == AWAY && task["kind"] == "command";
        tasks["tasks"].as_array()?.iter().find(done).map(drop)
    }));
    assert_eq!(sim.json(&["task", "list", "--state", "pending"])["tasks"], json!([]));
}
