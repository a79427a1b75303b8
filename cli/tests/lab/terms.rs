//! Who leads in which term, sampled from all nodes for as long as a test runs.

use std::collections::{BTreeMap, BTreeSet};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Sim;
use super::cluster::raft_states;

/// Samples `/raft-state` of all nodes, one round after another.
pub(crate) struct Terms {
    stop: CancellationToken,
    sampler: JoinHandle<Seen>,
}

/// What was sampled.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Term -> nodes that said that they led in it.
    pub(crate) leaders: BTreeMap<u64, BTreeSet<String>>,
    /// Answers of single nodes.
    pub(crate) answers: usize,
}

impl Terms {
    /// Begins to sample.
    pub(crate) fn watch(sim: &Sim) -> Self {
        let nodes = sim.context().nodes;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let sampler = tokio::spawn(async move {
            let mut seen = Seen::default();
            while !stopped.is_cancelled() {
                for node in raft_states(&nodes).await {
                    seen.answers += 1;
                    let leaders = seen.leaders.entry(node.term).or_default();
                    if node.state == "leader" {
                        leaders.insert(node.name);
                    }
                }
            }
            seen
        });
        Self { stop, sampler }
    }

    /// Ends, and fails when two nodes led in one term. Samples can miss a short reign; the nodes' logs, which have every
    /// change of role, are read as well.
    pub(crate) async fn end(self, sim: &Sim) -> Seen {
        self.stop.cancel();
        let mut seen = self.sampler.await.unwrap();
        for node in sim.nodes() {
            for term in sim.log(&node).lines().filter_map(reign) {
                seen.leaders.entry(term).or_default().insert(node.clone());
            }
        }
        let twice: Vec<_> = seen.leaders.iter().filter(|(_, leaders)| leaders.len() > 1).collect();
        assert!(twice.is_empty(), "terms with two leaders: {twice:?}");
        seen
    }
}

/// The term in which a log line says that its node leads.
fn reign(line: &str) -> Option<u64> {
    let fields = line.split_once("raft state changed")?.1;
    let field = |name: &str| fields.split_whitespace().find_map(|field| field.strip_prefix(name));
    (field("role=")? == "Leader").then(|| field("term=")?.parse().ok())?
}
