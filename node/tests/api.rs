//! The services over real TLS: who may, who leads, what is too long, what is read where.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests may fail")]

mod nodes;

use farquorum_client::wire::{self, Reason};
use farquorum_proto::v1;
use farquorum_proto::v1::cluster_service_client::ClusterServiceClient;
use farquorum_proto::v1::kv_service_client::KvServiceClient;
use farquorum_proto::v1::task_service_client::TaskServiceClient;
use farquorum_tls::{Role, init};
use nodes::{Nodes, holder, reason, until};
use tempfile::TempDir;
use tonic::Code;

fn set(key: &str, value: &str) -> v1::SetRequest {
    v1::SetRequest { key: key.to_owned().into(), value: value.to_owned().into() }
}

fn get(key: &str) -> v1::GetRequest {
    v1::GetRequest { key: key.to_owned().into(), stale: false }
}

/// A write at a follower is refused with the leader's address (NODE-3, WRK-1); a read there sees what was
/// acknowledged elsewhere (NODE-8).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_write_at_the_leader_and_read_anywhere() {
    let mut nodes = Nodes::start(3).await;
    let leader = nodes.leader().await;
    let follower = nodes.follower().await;

    let mut at_follower = KvServiceClient::new(nodes.channel(follower, "client-1"));
    let refused = at_follower.set(set("a", "1")).await.unwrap_err();
    let info = wire::error_info(&refused).unwrap();
    let node = &nodes.config.nodes[leader];
    assert_eq!(info.reason, Reason::NotLeader);
    let hint = info.leader.unwrap();
    assert_eq!((hint.id, hint.name, hint.address), (node.id.0, node.name.clone(), node.grpc_address()));

    let mut at_leader = KvServiceClient::new(nodes.channel(leader, "client-1"));
    let written = at_leader.set(set("a", "1")).await.unwrap().into_inner();
    let read = at_follower.get(get("a")).await.unwrap().into_inner();
    let kv = read.kv.unwrap();
    assert_eq!((&kv.value[..], kv.revision), (&b"1"[..], written.revision));
    assert!(read.read_index >= written.revision);

    status_is_complete(&nodes, leader).await;
    handed_over_on_stop(&mut nodes, leader).await;
}

/// MEAS-1 (basics), NODE-9: every link is measured and shown.
async fn status_is_complete(nodes: &Nodes, leader: usize) {
    let status = until("a measured link to every peer", async || {
        let status = nodes.status(leader).await.unwrap();
        status.peers.iter().all(|peer| peer.rtt_us.is_some() && peer.connected).then_some(status)
    })
    .await;
    assert_eq!(status.role(), v1::RaftRole::Leader);
    assert_eq!((status.leader_id, status.peers.len(), status.keys), (status.id, 2, 1));
    assert!(status.peers.iter().all(|peer| peer.voter && peer.last_contact_ms.is_some()), "{status:?}");
    assert!(
        status.term > 0
            && status.committed > 0
            && !status.state_hash.is_empty()
            && status.peer_bytes_sent > 0
    );

    let (head, body) = nodes.http(leader, "/raft-state").await;
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(head, "HTTP/1.1 200 OK");
    assert_eq!(json["state"], "leader");
    assert_eq!(json["leader_address"], nodes.config.nodes[leader].grpc_address());
    assert_eq!(json["peers"].as_array().unwrap().len(), 2);
    let (head, body) = nodes.http(leader, "/readyz?verbose").await;
    assert_eq!((head.as_str(), body.ends_with("ready\n")), ("HTTP/1.1 200 OK", true), "{body}");
    let (_, metrics) = nodes.http(leader, "/metrics").await;
    for name in ["raft_elections_total", "raft_term", "raft_state 2", "raft_replication_latency_ms_count"] {
        assert!(metrics.contains(name), "{name} is not in the metrics");
    }
}

/// NODE-5: a graceful stop hands leadership over; the others go on and the stopped node comes back as a follower.
async fn handed_over_on_stop(nodes: &mut Nodes, leader: usize) {
    let term = nodes.status(leader).await.unwrap().term;
    nodes.stop_node(leader).await;
    let next = nodes.leader().await;
    assert_ne!(next, leader);
    let mut client = KvServiceClient::new(nodes.channel(next, "client-1"));
    assert_eq!(&client.get(get("a")).await.unwrap().into_inner().kv.unwrap().value[..], b"1");
    assert_eq!(nodes.status(next).await.unwrap().term, term + 1, "one transfer, no election");
    nodes.start_node(leader);
    assert_eq!(nodes.leader().await, next);
    assert_eq!(nodes.status(leader).await.unwrap().role(), v1::RaftRole::Follower);
}

/// SEC-1: no certificate, another authority's, and a role that may not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_without_the_right_are_refused() {
    let nodes = Nodes::start(1).await;
    let leader = nodes.leader().await;

    let plain =
        tonic::transport::Endpoint::from_shared(format!("http://{}", nodes.config.nodes[0].grpc_address()));
    let mut without = KvServiceClient::new(plain.unwrap().connect_lazy());
    assert!(without.get(get("a")).await.is_err(), "a caller without TLS was served");

    let foreign = TempDir::new().unwrap();
    init(foreign.path(), &nodes.config.cluster.name).unwrap();
    holder(foreign.path(), Role::Admin, "admin-1");
    // It trusts our nodes, but our nodes do not know who signed for it.
    std::fs::copy(nodes.dir.path().join("certs/ca/peer.crt"), foreign.path().join("ca/peer.crt")).unwrap();
    std::fs::copy(nodes.dir.path().join("certs/ca/peer.crl"), foreign.path().join("ca/peer.crl")).unwrap();
    let address = nodes.config.nodes[0].grpc_address();
    let mut other = KvServiceClient::new(nodes.channel_to(&address, 0, foreign.path(), "admin-1"));
    assert!(other.get(get("a")).await.is_err(), "a caller of another authority was served");

    let transfer = v1::TransferLeaderRequest { to: 0 };
    for name in ["worker-1", "client-1"] {
        let mut client = ClusterServiceClient::new(nodes.channel(leader, name));
        let refused = client.transfer_leader(transfer).await.unwrap_err();
        assert_eq!(
            (refused.code(), reason(&refused)),
            (Code::PermissionDenied, Some(Reason::Permission)),
            "{name}"
        );
    }
    let mut worker = KvServiceClient::new(nodes.channel(leader, "worker-1"));
    assert_eq!(reason(&worker.set(set("a", "1")).await.unwrap_err()), Some(Reason::Permission));
    let mut client = KvServiceClient::new(nodes.channel(leader, "client-1"));
    client.set(set("a", "1")).await.unwrap();
}

/// SEC-4: what is too long is refused with the limit's name, and nothing of it is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_long_names_its_limit() {
    let nodes = Nodes::start(1).await;
    let leader = nodes.leader().await;
    let limits = &nodes.config.limits;
    let long = |max: u64| "x".repeat(usize::try_from(max).unwrap() + 1);
    let mut kv = KvServiceClient::new(nodes.channel(leader, "client-1"));
    let mut tasks = TaskServiceClient::new(nodes.channel(leader, "client-1"));
    let task = |payload: String, kind: &str, cloud: &str| v1::SubmitTaskRequest {
        spec: Some(v1::TaskSpec {
            kind: kind.into(),
            payload: payload.into(),
            cloud_affinity: cloud.into(),
            ..v1::TaskSpec::default()
        }),
    };
    let refusals = [
        (kv.set(set("", "1")).await.unwrap_err(), "the key is empty"),
        (kv.set(set(&long(limits.key_bytes_max), "1")).await.unwrap_err(), "limits.key_bytes_max"),
        (kv.set(set("a", &long(limits.value_bytes_max))).await.unwrap_err(), "limits.value_bytes_max"),
        (
            tasks.submit_task(task(long(limits.payload_bytes_max), "command", "")).await.unwrap_err(),
            "limits.payload_bytes_max",
        ),
        (tasks.submit_task(task(String::new(), "", "")).await.unwrap_err(), "spec.kind is empty"),
        (
            tasks.submit_task(task(String::new(), "comand", "")).await.unwrap_err(),
            "spec.kind \"comand\" is not one of command, matmul, publish, storage-check, wordcount-map, wordcount-reduce",
        ),
        (
            tasks.submit_task(task(String::new(), "command", "mars")).await.unwrap_err(),
            "\"mars\" is not one of aws",
        ),
        (tasks.submit_task(v1::SubmitTaskRequest { spec: None }).await.unwrap_err(), "spec is missing"),
    ];
    for (status, expected) in refusals {
        assert!(status.message().contains(expected), "{:?} does not say {expected:?}", status.message());
        assert_eq!(reason(&status), Some(Reason::Invalid), "{expected}");
    }
    let list = v1::ListRequest::default();
    assert!(kv.list(list).await.unwrap().into_inner().kvs.is_empty());
}

/// The rest of KvService; pages of a list.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_swapped_deleted_and_listed() {
    let nodes = Nodes::start(1).await;
    let leader = nodes.leader().await;
    let mut kv = KvServiceClient::new(nodes.channel(leader, "client-1"));
    for key in ["k/1", "k/2", "k/3", "other"] {
        kv.set(set(key, key)).await.unwrap();
    }
    let page = |page_token: String| v1::ListRequest { prefix: "k/".into(), page_size: 2, page_token };
    let first = kv.list(page(String::new())).await.unwrap().into_inner();
    let second = kv.list(page(first.next_page_token.clone())).await.unwrap().into_inner();
    let keys: Vec<_> = first.kvs.iter().chain(&second.kvs).map(|kv| kv.key.clone()).collect();
    assert_eq!(
        (keys, second.next_page_token),
        (vec!["k/1".into(), "k/2".into(), "k/3".into()], String::new())
    );

    let cas = |expected: Option<&str>, value: &str| v1::CompareAndSetRequest {
        key: "k/1".into(),
        expected: expected.map(|text| text.to_owned().into()),
        value: value.to_owned().into(),
    };
    assert!(!kv.compare_and_set(cas(None, "x")).await.unwrap().into_inner().swapped);
    assert!(kv.compare_and_set(cas(Some("k/1"), "x")).await.unwrap().into_inner().swapped);
    assert!(kv.delete(v1::DeleteRequest { key: "k/1".into() }).await.unwrap().into_inner().existed);
    assert_eq!(kv.get(get("k/1")).await.unwrap().into_inner().kv, None);
}

/// Issue part "bad input": a port in use names its holder, and nothing was written before.
#[tokio::test]
async fn a_port_in_use_stops_the_start() {
    let nodes = Nodes::prepare(1);
    let port = nodes.config.nodes[0].http_port;
    let _holder = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let error =
        farquorum_node::run(nodes.config.clone(), nodes.options(0), async {}).await.unwrap_err().to_string();
    let expected = format!("HTTP port: 127.0.0.1:{port} is in use by process {}", std::process::id());
    assert!(error.contains(&expected), "{error}");
    let data = nodes.options(0).data_dir.unwrap();
    assert_eq!(std::fs::read_dir(data).map_or(0, Iterator::count), 0, "the data folder was written to");
}
