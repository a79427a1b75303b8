//! The cluster inside a simulation, from the test's own process: calls over gRPC, state over HTTP.

use std::time::Duration;

use farquorum_client::{Cluster, ContextNode, Timing};
use futures::future::join_all;
use serde::Deserialize;
use serde_json::Value;

use super::{Sim, await_that, http};

/// What the tests read of `/raft-state`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RaftState {
    /// Name of the node.
    pub(crate) name: String,
    /// Label of its cloud.
    pub(crate) cloud: String,
    /// `follower`, `candidate` or `leader`.
    pub(crate) state: String,
    /// Who leads, as far as it knows.
    pub(crate) leader_name: Option<String>,
    /// Its term.
    pub(crate) term: u64,
    /// Committed index.
    pub(crate) committed: u64,
    /// Applied index.
    pub(crate) applied: u64,
    /// First index that its log holds.
    pub(crate) first_index: u64,
    /// Hash of its state.
    pub(crate) state_hash: String,
    /// Index that the hash is of.
    pub(crate) state_hash_index: u64,
}

impl Sim {
    /// Calls to the cluster, each within `deadline_s` seconds. Only inside a runtime.
    pub(crate) fn cluster(&self, deadline_s: f64) -> Cluster {
        self.cluster_of(&[], deadline_s)
    }

    /// The same, knowing only the nodes with these names; all of them when none is given.
    pub(crate) fn cluster_of(&self, nodes: &[&str], deadline_s: f64) -> Cluster {
        let mut context = self.context();
        context.nodes.retain(|node| nodes.is_empty() || nodes.contains(&node.name.as_str()));
        let timing = Timing { deadline: Duration::from_secs_f64(deadline_s), ..Timing::default() };
        Cluster::from_context(&context, timing).unwrap()
    }

    /// Names of the nodes.
    pub(crate) fn nodes(&self) -> Vec<String> {
        self.context().nodes.into_iter().map(|node| node.name).collect()
    }

    /// `/raft-state` of every node that answers, asked at the same time.
    pub(crate) async fn raft_states(&self) -> Vec<RaftState> {
        raft_states(&self.context().nodes).await
    }

    /// `/raft-state` of one node; `None` when it does not answer.
    pub(crate) async fn raft_state(&self, name: &str) -> Option<RaftState> {
        self.raft_states().await.into_iter().find(|node| node.name == name)
    }

    /// `/cluster-state` of the first node that answers.
    pub(crate) async fn cluster_state(&self) -> Option<Value> {
        for node in self.context().nodes {
            if let Some(page) = http::get(&node.http, "/cluster-state").await {
                return Some(page);
            }
        }
        None
    }

    /// The leader that a majority of the nodes follows, once there is one, and how long it took.
    pub(crate) async fn leader(&self) -> (RaftState, Duration) {
        self.leader_other_than("").await
    }

    /// The same, for a leader that has another name.
    pub(crate) async fn leader_other_than(&self, old: &str) -> (RaftState, Duration) {
        let quorum = self.nodes().len() / 2 + 1;
        await_that("a leader that a majority follows", 30, || async {
            let states = self.raft_states().await;
            let leads = |node: &&RaftState| node.state == "leader" && node.name != old;
            let leader = states.iter().filter(leads).max_by_key(|node| node.term)?;
            let follows = |node: &&RaftState| {
                node.term == leader.term && node.leader_name.as_ref() == Some(&leader.name)
            };
            (states.iter().filter(follows).count() >= quorum).then(|| leader.clone())
        })
        .await
    }

    /// Waits until every node answers, and all have the same state at the same index.
    pub(crate) async fn agreed(&self, limit_s: u64) -> (Vec<RaftState>, Duration) {
        let count = self.nodes().len();
        await_that("equal state hashes at equal indexes on all nodes", limit_s, || async {
            let states = self.raft_states().await;
            let first = states.first()?.clone();
            let equal = states.iter().all(|node| {
                node.committed == node.applied
                    && (node.state_hash_index, &node.state_hash)
                        == (first.state_hash_index, &first.state_hash)
            });
            (equal && states.len() == count && first.state_hash_index == first.applied).then_some(states)
        })
        .await
    }
}

/// `/raft-state` of every node that answers, asked at the same time.
pub(super) async fn raft_states(nodes: &[ContextNode]) -> Vec<RaftState> {
    let pages = join_all(nodes.iter().map(|node| http::get(&node.http, "/raft-state"))).await;
    pages.into_iter().flatten().map(|page| serde_json::from_value(page).unwrap()).collect()
}
