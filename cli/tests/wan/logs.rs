//! NODE-11: JSON logs of real nodes. They run as programs inside a bare network, so that their flags are the test's own.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::lab::{Sim, await_that};

/// One line of a node's log about its state.
#[derive(Clone, Debug)]
struct Transition {
    role: String,
    term: u64,
    index: u64,
    leader: String,
}

/// The nodes of the built-in topology, each with its log.
struct Nodes<'a> {
    sim: &'a Sim,
    running: Vec<(String, Child)>,
}

impl<'a> Nodes<'a> {
    fn start(sim: &'a Sim) -> Self {
        let running = sim.nodes().into_iter().map(|name| {
            let folder = sim.folder();
            let path = |name: &str| folder.join(name).display().to_string();
            let (config, certs, data) =
                (path("farquorum.toml"), path("certs"), path(&format!("data/{name}")));
            let mut command = sim.command(&["sim", "exec", &name, "--"]);
            command.args([crate::lab::BINARY, "node", "run", "--name", &name, "--config", &config]);
            command.args(["--certs", &certs, "--data-dir", &data, "--log-format", "json"]);
            let log = File::create(Self::log(sim, &name)).unwrap();
            let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
            (name, child)
        });
        Self { sim, running: running.collect() }
    }

    fn log(sim: &Sim, name: &str) -> std::path::PathBuf {
        sim.folder().join(format!("logs/{name}.json"))
    }

    /// Every change of state that a node has logged, checked field by field.
    fn transitions(&self, name: &str) -> Vec<Transition> {
        let id = self.sim.context().nodes.iter().find(|node| node.name == name).unwrap().id;
        lines(&Self::log(self.sim, name)).iter().filter_map(|line| transition(line, id)).collect()
    }
}

impl Drop for Nodes<'_> {
    /// Without its caller `sim exec` kills the program.
    fn drop(&mut self) {
        for (_, child) in &mut self.running {
            let _gone = child.kill();
            let _gone = child.wait();
        }
    }
}

/// The whole lines of a log; the last may be half written. Each is one JSON object with a time, a level and a target.
fn lines(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let parsed = whole.lines().map(|line| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for field in ["timestamp", "level", "target", "message"] {
            assert!(value[field].is_string(), "{field}: {line}");
        }
        value
    });
    parsed.collect()
}

/// What a line says about the node's state, if it is about that.
fn transition(line: &Value, id: u64) -> Option<Transition> {
    if line["message"] != "raft state changed" {
        return None;
    }
    assert_eq!(line["level"], "INFO", "{line}");
    assert_eq!(line["node"], id, "{line}");
    let number = |field: &str| line[field].as_u64().unwrap_or_else(|| panic!("{field}: {line}"));
    let text = |field: &str| line[field].as_str().unwrap_or_else(|| panic!("{field}: {line}")).to_owned();
    Some(Transition {
        role: text("role"),
        term: number("term"),
        index: number("index"),
        leader: text("leader"),
    })
}

/// The roles in order, without repetitions of one role.
fn roles(transitions: &[Transition]) -> Vec<&str> {
    let mut roles: Vec<&str> = transitions.iter().map(|transition| transition.role.as_str()).collect();
    roles.dedup();
    roles
}

#[test]
fn an_election_and_a_step_down_are_in_the_logs_in_order() {
    let Some(sim) = Sim::up(&["--no-cluster"]) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let nodes = Nodes::start(&sim);
        let (first, _) = sim.leader().await;
        let to_first = nodes.transitions(&first.name);
        assert!(roles(&to_first).ends_with(&["PreCandidate", "Candidate", "Leader"]), "{to_first:?}");

        // Cut off, it cannot reach a majority and steps down by itself (check-quorum); the others elect.
        sim.nodes().iter().filter(|node| **node != first.name).for_each(|node| sim.part(&first.name, node));
        let (second, _) = sim.leader_other_than(&first.name).await;
        await_that("the old leader's step down", 30, || async {
            let now = nodes.transitions(&first.name);
            now.last().is_some_and(|last| last.role != "Leader").then_some(())
        })
        .await;
        sim.heal_all();
        await_that("the old leader to follow the new one", 30, || async {
            let now = sim.raft_state(&first.name).await?;
            (now.leader_name.as_ref() == Some(&second.name)).then_some(())
        })
        .await;

        let of_first = nodes.transitions(&first.name);
        let after = of_first.iter().skip(to_first.len()).cloned().collect::<Vec<_>>();
        assert_eq!(after[0].role, "Follower", "the first thing after leading: {after:?}");
        assert_eq!(after[0].term, first.term, "it stepped down in the term that it led: {after:?}");
        assert_eq!(after.last().unwrap().role, "Follower", "{after:?}");
        assert!(after.iter().all(|transition| transition.role != "Leader"), "{after:?}");
        let of_second = nodes.transitions(&second.name);
        assert!(roles(&of_second).ends_with(&["PreCandidate", "Candidate", "Leader"]), "{of_second:?}");
        assert!(second.term > first.term);
        for name in sim.nodes() {
            let all = nodes.transitions(&name);
            assert!(all.is_sorted_by_key(|transition| transition.term), "{name}: terms go back: {all:?}");
            assert!(all.iter().any(|it| it.index > 0 && it.leader.starts_with("Some(")), "{name}: {all:?}");
        }
    });
}
