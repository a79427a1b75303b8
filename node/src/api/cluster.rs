//! ClusterService: what this node knows, and handing leadership over.

use farquorum_config::NodeId;
use farquorum_core::WorkerState;
use farquorum_proto::v1;
use farquorum_proto::v1::cluster_service_server::ClusterService;
use tonic::{Request, Response, Status};

use super::probe::{Plan, Samples};
use super::{Api, Context, errors};
use crate::raft::{RaftStatus, Role};
use crate::transport::{LinkStatus, RttQuantiles};

#[tonic::async_trait]
impl ClusterService for Api {
    type ProbePeersStream = Samples;

    async fn get_status(
        &self,
        _: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        Ok(Response::new(v1::GetStatusResponse { node: Some(self.0.node_status()) }))
    }

    async fn transfer_leader(
        &self,
        request: Request<v1::TransferLeaderRequest>,
    ) -> Result<Response<v1::TransferLeaderResponse>, Status> {
        let deadline = self.0.deadline(request.metadata());
        self.0.must_lead()?;
        let to = request.into_inner().to;
        let to = (to != 0).then_some(NodeId(to));
        if let Some(id) = to {
            let voters = self.0.raft.status().voters;
            if !voters.contains(&id) {
                let voters: Vec<String> = voters.iter().map(ToString::to_string).collect();
                return Err(errors::invalid(format!(
                    "node {id} does not vote; voters are {}",
                    voters.join(", ")
                )));
            }
        }
        let transferred = self.0.raft.transfer(to, deadline).await;
        let leader = transferred.map_err(|error| errors::read(&error, &self.0.config))?;
        Ok(Response::new(v1::TransferLeaderResponse { leader_id: leader.0 }))
    }

    async fn probe_peers(
        &self,
        request: Request<v1::ProbePeersRequest>,
    ) -> Result<Response<Samples>, Status> {
        let plan = Plan::of(request.get_ref(), &self.0)?;
        Ok(Response::new(self.0.prober.run(plan)?))
    }
}

impl Context {
    /// Everything that this node knows of itself, its peers and the manifest.
    pub(crate) fn node_status(&self) -> v1::NodeStatus {
        let raft = self.raft.status();
        let view = self.raft.view();
        let links = (self.links)();
        let machine = crate::machine::this();
        let leader = raft.leader.id.and_then(|id| self.config.node_by_id(id));
        let counts = view.state.counts();
        let finished = [counts.completed, counts.failed, counts.cancelled];
        let tasks = finished.iter().sum::<usize>() + counts.pending + counts.assigned + counts.running;
        let others = self.config.nodes.iter().filter(|node| node.id != self.me.id);
        v1::NodeStatus {
            id: self.me.id.0,
            name: self.me.name.clone(),
            cloud: self.me.cloud.clone(),
            role: role_out(raft.role).into(),
            leader_id: raft.leader.id.map_or(0, |id| id.0),
            leader_name: leader.map(|node| node.name.clone()).unwrap_or_default(),
            leader_address: leader.map(farquorum_config::Node::grpc_address).unwrap_or_default(),
            term: raft.leader.term,
            committed: raft.committed,
            applied: raft.applied,
            first_index: raft.first_index,
            last_index: raft.last_index,
            state_hash: view.state.hash().to_string(),
            state_hash_index: view.index.0,
            peers: others.map(|node| peer_status(node, links.get(&node.id), &raft)).collect(),
            version: self.release.version.to_owned(),
            level: self.release.level.0,
            uptime_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            cluster: self.config.cluster.name.clone(),
            peer_bytes_sent: links.values().map(|link| link.sent_bytes).sum(),
            tasks_pending: wide(counts.pending),
            tasks_active: wide(counts.assigned.saturating_add(counts.running)),
            tasks_total: wide(tasks),
            workers_healthy: wide(
                view.state.workers().filter(|worker| worker.state == WorkerState::Healthy).count(),
            ),
            keys: wide(counts.keys),
            kernel: machine.kernel.clone(),
            processors: machine.processors,
            region: self
                .config
                .clouds
                .get(&self.me.cloud)
                .map(|cloud| cloud.region.clone())
                .unwrap_or_default(),
            machine: machine.product.clone(),
        }
    }
}

fn peer_status(
    node: &farquorum_config::Node,
    link: Option<&LinkStatus>,
    raft: &RaftStatus,
) -> v1::PeerStatus {
    let progress = raft.progress.iter().find(|progress| progress.id == node.id);
    v1::PeerStatus {
        id: node.id.0,
        name: node.name.clone(),
        cloud: node.cloud.clone(),
        address: node.raft_address(),
        connected: link.is_some_and(|link| link.connected),
        last_contact_ms: link
            .and_then(|link| link.last_contact)
            .map(|contact| u64::try_from(contact.as_millis()).unwrap_or(u64::MAX)),
        matched: progress.map_or(0, |progress| progress.matched),
        rtt_us: link.and_then(|link| link.rtt).map(|rtt| micros(rtt.latest)),
        voter: raft.voters.contains(&node.id),
        rtt_minute: link.and_then(|link| link.rtt?.minute).map(statistics),
        rtt_total: link.and_then(|link| link.rtt).map(|rtt| statistics(rtt.total)),
    }
}

fn statistics(rtt: RttQuantiles) -> v1::RttStatistics {
    v1::RttStatistics {
        count: rtt.count,
        min_us: micros(rtt.min),
        p50_us: micros(rtt.p50),
        p90_us: micros(rtt.p90),
        p99_us: micros(rtt.p99),
        max_us: micros(rtt.max),
    }
}

/// Microseconds of a duration.
pub(super) fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn role_out(role: Role) -> v1::RaftRole {
    match role {
        Role::Follower => v1::RaftRole::Follower,
        Role::Candidate => v1::RaftRole::Candidate,
        Role::Leader => v1::RaftRole::Leader,
    }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
