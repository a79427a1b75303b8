//! One look at a cluster: every node is asked what it knows and whether it is ready, all at the same time.

use std::time::Duration;

use farquorum_proto::v1::{self, NodeStatus, RaftRole};
use futures::future::join_all;

use super::snapshot::{Node, Peer, Snapshot, View, Worker};
use crate::commands::cluster::{Connection, Silence, brief};
use crate::commands::health;

/// Longest time for `/readyz` of one node: as long as for its status.
const READY_TIME_MAX: Duration = Duration::from_secs(2);

/// The same for the list of workers, which takes a leader.
const WORKERS_TIME_MAX: Duration = READY_TIME_MAX;

/// Looks; asks for the workers only when `workers` are of interest.
pub(super) async fn look(connection: &Connection, workers: bool) -> Snapshot {
    let nodes = async {
        let statuses = connection.statuses().await;
        join_all(statuses.into_iter().map(|(name, status)| node(connection, name, status))).await
    };
    let workers = async {
        if !workers {
            return Ok(Vec::new());
        }
        let workers = connection.cluster.workers();
        match tokio::time::timeout(WORKERS_TIME_MAX, workers.list()).await {
            Ok(Ok(list)) => Ok(list.workers.into_iter().map(worker).collect()),
            Ok(Err(error)) => Err(brief(&error.to_string())),
            Err(_) => Err(format!("no answer within {} s", WORKERS_TIME_MAX.as_secs())),
        }
    };
    let (nodes, workers) = tokio::join!(nodes, workers);
    Snapshot { nodes, workers }
}

async fn node(connection: &Connection, name: String, status: Result<NodeStatus, Silence>) -> Node {
    let http = connection.context.nodes.iter().find(|node| node.name == name).map(|node| node.http.clone());
    let status = match status {
        Ok(status) => status,
        Err(why) => return Node { name, view: Err(why.brief()) },
    };
    let asked = tokio::task::spawn_blocking(move || health::ready(&http.unwrap_or_default(), READY_TIME_MAX));
    let ready = asked.await.unwrap_or_else(|error| Err(error.to_string()));
    Node { name, view: Ok(view(status, ready)) }
}

fn view(status: NodeStatus, ready: Result<(), String>) -> View {
    let peer = |peer: v1::PeerStatus| Peer {
        rtt_us: peer.rtt_minute.map(|rtt| rtt.p50_us).or(peer.rtt_us),
        name: peer.name,
        voter: peer.voter,
        connected: peer.connected,
    };
    View {
        leads: status.role() == RaftRole::Leader,
        leader: status.leader_name,
        term: status.term,
        committed: status.committed,
        applied: status.applied,
        version: status.version,
        uptime_ms: status.uptime_ms,
        ready,
        peers: status.peers.into_iter().map(peer).collect(),
    }
}

fn worker(worker: v1::Worker) -> Worker {
    let healthy = worker.state() == v1::WorkerState::Healthy;
    Worker { name: worker.id, healthy, last_seen_ms: worker.last_seen_ms }
}
