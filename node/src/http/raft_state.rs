//! `/raft-state`: this node's Raft state as JSON. Fields are only added, never renamed.

use farquorum_proto::v1;
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(super) struct RaftState {
    id: u64,
    name: String,
    cloud: String,
    cluster: String,
    /// `follower`, `candidate` or `leader`.
    state: &'static str,
    /// Null when unknown, as the next two.
    leader_id: Option<u64>,
    leader_name: Option<String>,
    /// host:port of the leader's public gRPC services.
    leader_address: Option<String>,
    term: u64,
    committed: u64,
    applied: u64,
    first_index: u64,
    last_index: u64,
    state_hash: String,
    state_hash_index: u64,
    /// Milliseconds since something came from the leader; 0 at the leader, null without one.
    last_contact_ms: Option<u64>,
    uptime_ms: u64,
    version: String,
    peers: Vec<PeerState>,
}

#[derive(Debug, Serialize)]
struct PeerState {
    id: u64,
    name: String,
    cloud: String,
    /// host:port of its Raft transport.
    address: String,
    voter: bool,
    connected: bool,
    /// Null when nothing came yet.
    last_contact_ms: Option<u64>,
    /// Round-trip time of the last probe; null before the first.
    rtt_us: Option<u64>,
    /// Median of the probes of the last minute; null when none was answered in it, as the next.
    rtt_p50_us: Option<u64>,
    /// Their 99th percentile.
    rtt_p99_us: Option<u64>,
    /// At the leader: last index that it is known to hold; else 0.
    matched: u64,
}

impl RaftState {
    pub(super) fn of(node: &v1::NodeStatus) -> Self {
        let set = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let state = match node.role() {
            v1::RaftRole::Leader => "leader",
            v1::RaftRole::Candidate => "candidate",
            v1::RaftRole::Follower | v1::RaftRole::Unspecified => "follower",
        };
        let leads = state == "leader";
        let leader = node.peers.iter().find(|peer| peer.id == node.leader_id);
        Self {
            id: node.id,
            name: node.name.clone(),
            cloud: node.cloud.clone(),
            cluster: node.cluster.clone(),
            state,
            leader_id: (node.leader_id != 0).then_some(node.leader_id),
            leader_name: set(&node.leader_name),
            leader_address: set(&node.leader_address),
            term: node.term,
            committed: node.committed,
            applied: node.applied,
            first_index: node.first_index,
            last_index: node.last_index,
            state_hash: node.state_hash.clone(),
            state_hash_index: node.state_hash_index,
            last_contact_ms: if leads { Some(0) } else { leader.and_then(|peer| peer.last_contact_ms) },
            uptime_ms: node.uptime_ms,
            version: node.version.clone(),
            peers: node.peers.iter().map(PeerState::of).collect(),
        }
    }
}

impl PeerState {
    fn of(peer: &v1::PeerStatus) -> Self {
        Self {
            id: peer.id,
            name: peer.name.clone(),
            cloud: peer.cloud.clone(),
            address: peer.address.clone(),
            voter: peer.voter,
            connected: peer.connected,
            last_contact_ms: peer.last_contact_ms,
            rtt_us: peer.rtt_us,
            rtt_p50_us: peer.rtt_minute.map(|rtt| rtt.p50_us),
            rtt_p99_us: peer.rtt_minute.map(|rtt| rtt.p99_us),
            matched: peer.matched,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_is_stable() {
        let minute =
            v1::RttStatistics { count: 400, p50_us: 50_100, p99_us: 51_900, ..v1::RttStatistics::default() };
        let peer = |id: u64, contact| v1::PeerStatus {
            id,
            name: format!("node-{id}"),
            cloud: format!("cloud-{id}"),
            address: format!("10.0.0.{id}:7379"),
            connected: contact,
            last_contact_ms: contact.then_some(12),
            matched: 0,
            rtt_us: contact.then_some(50_123),
            voter: true,
            rtt_minute: contact.then_some(minute),
            rtt_total: None,
        };
        let node = v1::NodeStatus {
            id: 1,
            name: "node-1".into(),
            cloud: "cloud-1".into(),
            role: v1::RaftRole::Follower.into(),
            leader_id: 2,
            leader_name: "node-2".into(),
            leader_address: "10.0.0.2:50051".into(),
            term: 4,
            committed: 120,
            applied: 119,
            first_index: 1,
            last_index: 121,
            state_hash: "00ff".into(),
            state_hash_index: 119,
            peers: vec![peer(2, true), peer(3, false)],
            version: "0.1.0".into(),
            uptime_ms: 61_000,
            cluster: "farquorum".into(),
            ..v1::NodeStatus::default()
        };
        let json = serde_json::to_string_pretty(&RaftState::of(&node)).unwrap();
        assert_eq!(json.trim(), include_str!("raft_state.json").trim());
        let alone = serde_json::to_value(RaftState::of(&v1::NodeStatus::default())).unwrap();
        for key in ["leader_id", "leader_name", "leader_address", "last_contact_ms"] {
            assert!(alone[key].is_null(), "{key}");
        }
    }
}
