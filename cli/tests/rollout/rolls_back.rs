//! A command that breaks a node: the rollout stops, undoes what was begun, and nothing is lost.

use crate::lab::writes::{Crowd, read_all};
use crate::lab::{Sim, await_that};
use crate::writers::background;
use crate::{rollout, run, script};

/// Restarts a host, but the second one that it is called for stays down.
pub(crate) const SECOND_STAYS_DOWN: &str = r#"
echo "$1" >>"$0.called"
if [ "$(wc -l <"$0.called")" -eq 2 ]; then $SIM kill "$1"; else $SIM restart "$1"; fi
"#;

#[test]
fn a_command_that_breaks_the_second_node_is_undone() {
    let Some(sim) = Sim::up(&[]) else { return };
    let update = script(&sim, "update", SECOND_STAYS_DOWN) + " {name}";
    let rollback = script(&sim, "rollback", "echo \"$1\" >>\"$0.called\"\n$SIM restart \"$1\"\n") + " {name}";
    run(async {
        let (old, _) = sim.leader().await;
        let cluster = sim.cluster(10.0);
        let crowd = Crowd::start(std::slice::from_ref(&cluster), 4, u64::MAX, "back/");
        await_that("the first writes", 30, || async { (crowd.acknowledged() >= 30).then_some(()) }).await;
        let args = ["apply", "--update", &update, "--rollback", &rollback, "--wait", "5", "-o", "json"];
        let ran = background(rollout(&sim, &args)).await.code(1);
        println!("{}", ran.err);
        let history = crowd.stop().await;

        let (updated, back) = (called(&sim, "update"), called(&sim, "rollback"));
        assert_eq!(updated.len(), 2, "{updated:?}");
        assert!(!updated.contains(&old.name), "the leader was not touched: {updated:?}");
        assert_eq!(back, [updated[1].clone(), updated[0].clone()], "the last one first");
        let report = ran.json();
        assert_eq!(report["outcome"], "rolled_back", "{report}");
        for host in report["hosts"].as_array().unwrap() {
            let touched = updated.iter().any(|name| host["host"] == **name);
            assert_eq!(host["state"], if touched { "rolled_back" } else { "untouched" }, "{host}");
        }
        let said = format!("{}: does not answer", updated[1]);
        ran.says(&[&said, "everything that was begun is rolled back and well"]);

        println!("{} writes, longest pause {} ms", history.done.len(), history.longest_gap().as_millis());
        assert!(history.failed.is_empty(), "two of three were there all the time: {:?}", history.failed);
        history.is_in(&read_all(&cluster, "back/").await);
        let (states, _) = sim.agreed(30).await;
        assert!(states.iter().all(|node| node.term == old.term), "no election: {states:?}");
    });
}

/// The hosts for which a script of this name noted that it was called.
pub(crate) fn called(sim: &Sim, script: &str) -> Vec<String> {
    let file = sim.lab.state.path().join(format!("{script}.called"));
    std::fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn what_the_command_prints_has_the_hosts_name_before_it() {
    let Some(sim) = Sim::up(&[]) else { return };
    // Two lines, one without an end, and a colour; then it fails, and there is no way back.
    let text = "printf 'one\\n\\033[31mtwo' >&2\nexit 7\n";
    let update = script(&sim, "update", text) + " {name} {cloud} {address}";
    let args = ["apply", "cp-gcp-1", "--update", &update, "--no-rollback"];
    let ran = crate::lab::ran::run(rollout(&sim, &args)).code(1);
    let command =
        format!("cp-gcp-1: update: {} cp-gcp-1 gcp 10.20.0.11\n", update.split(' ').next().unwrap());
    ran.says(&[&command, "cp-gcp-1 | one\ncp-gcp-1 | [31mtwo\n", "its command ended with exit status 7"])
        .says(&["stopped; changed: cp-gcp-1", "try: "])
        .prints(&["cp-gcp-1  FAILED"]);
}

#[test]
fn a_command_that_does_not_end_is_killed_and_undone() {
    let Some(sim) = Sim::up(&[]) else { return };
    let update = script(&sim, "update", "sleep 600 &\nsleep 600\n") + " {name}";
    let args = ["apply", "cp-gcp-1", "--update", &update, "--set", "rollout.command_timeout_s=1"];
    let begun = std::time::Instant::now();
    let ran = crate::lab::ran::run(rollout(&sim, &args)).code(1);
    ran.says(&["its command took longer than 1 s and was killed", "cp-gcp-1: rolled back and well"]);
    assert!(begun.elapsed().as_secs() < 60, "nobody waited for the processes of the command");
}
