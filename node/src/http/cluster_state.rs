//! `/cluster-state`: workers, tasks and keys as this node's applied state has them, as JSON. Fields are only added,
//! never renamed.

use std::collections::BTreeMap;

use farquorum_core::{State, Worker, WorkerState};
use serde::Serialize;

use crate::api::Context;
use crate::raft::View;

#[derive(Debug, Serialize)]
pub(super) struct ClusterState {
    cluster: String,
    /// Node that answers; its state may be behind the leader's.
    node: String,
    /// Null when unknown.
    leader: Option<String>,
    /// Log index that this is true for.
    applied: u64,
    workers: Vec<WorkerEntry>,
    /// Tasks by state.
    tasks: BTreeMap<&'static str, u64>,
    jobs: u64,
    keys: u64,
}

#[derive(Debug, Serialize)]
struct WorkerEntry {
    worker_id: String,
    /// `healthy`, `suspect` or `offline`.
    status: &'static str,
    cloud_tag: String,
    region: String,
    /// host:port of its HTTP server.
    address: String,
    /// Milliseconds since the Unix epoch on the leader's clock.
    last_seen: u64,
    capacity: u32,
    active_tasks: u32,
    /// Share of one processor in use, in thousandths.
    cpu_milli: u32,
    memory_bytes: u64,
    kinds: Vec<String>,
}

impl ClusterState {
    pub(super) fn of(context: &Context) -> Self {
        let leader = context.raft.status().leader.id.and_then(|id| context.config.node_by_id(id));
        let leader = leader.map(|node| node.name.clone());
        Self::new(&context.config.cluster.name, &context.me.name, leader, &context.raft.view())
    }

    fn new(cluster: &str, node: &str, leader: Option<String>, view: &View) -> Self {
        let counts = view.state.counts();
        Self {
            cluster: cluster.to_owned(),
            node: node.to_owned(),
            leader,
            applied: view.index.0,
            workers: view.state.workers().map(WorkerEntry::of).collect(),
            tasks: tasks(&view.state).into_iter().collect(),
            jobs: wide(counts.jobs),
            keys: wide(counts.keys),
        }
    }
}

impl WorkerEntry {
    fn of(worker: &Worker) -> Self {
        Self {
            worker_id: worker.id.to_string(),
            status: worker.state.as_str(),
            cloud_tag: worker.cloud.clone(),
            region: worker.region.clone(),
            address: worker.address.clone(),
            last_seen: worker.last_seen.0,
            capacity: worker.capacity,
            active_tasks: worker.active,
            cpu_milli: worker.cpu_milli,
            memory_bytes: worker.memory_bytes,
            kinds: worker.kinds.clone(),
        }
    }
}

type ByState = Vec<(&'static str, u64)>;

/// How many tasks and workers are in each state; every state is there.
pub(super) fn counts(state: &State) -> (ByState, ByState) {
    let workers = [WorkerState::Healthy, WorkerState::Suspect, WorkerState::Offline];
    let in_state = |wanted| wide(state.workers().filter(|worker| worker.state == wanted).count());
    (tasks(state), workers.into_iter().map(|state| (state.as_str(), in_state(state))).collect())
}

fn tasks(state: &State) -> ByState {
    let counts = state.counts();
    let by_state = [
        ("pending", counts.pending),
        ("assigned", counts.assigned),
        ("running", counts.running),
        ("completed", counts.completed),
        ("failed", counts.failed),
        ("cancelled", counts.cancelled),
    ];
    by_state.into_iter().map(|(state, count)| (state, wide(count))).collect()
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use farquorum_core::{Command, LogIndex, Millis, Proposal, WorkerId};

    use super::*;

    #[test]
    fn the_json_is_stable() {
        let mut state = State::new();
        let register = Command::RegisterWorker {
            worker: WorkerId::new("worker-1"),
            address: "10.0.0.21:8080".into(),
            cloud: "aws".into(),
            region: "us-east-1".into(),
            capacity: 4,
            kinds: vec!["command".into()],
        };
        let set = Command::KvSet { key: b"k".to_vec(), value: b"v".to_vec() };
        for (index, command) in [register, set].into_iter().enumerate() {
            let index = LogIndex(u64::try_from(index).unwrap() + 1);
            state.apply(index, &Proposal { now: Millis(1_700_000_000_000), command }).unwrap();
        }
        let view = View { state, index: LogIndex(2) };
        let shown = ClusterState::new("farquorum", "node-1", Some("node-2".into()), &view);
        let json = serde_json::to_string_pretty(&shown).unwrap();
        assert_eq!(json.trim(), include_str!("cluster_state.json").trim());
    }
}
