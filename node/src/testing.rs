//! For unit tests: a configuration without a file, and a handle whose other end the test holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use farquorum_config::{
    Cloud, Cluster, Config, Ipv4Net, Lab, LabBackend, Limits, LinkShape, LogBackend, Node, NodeId, Ports,
    Raft, Storage, StorageService, Tasks,
};
use farquorum_core::{LogIndex, State};
use tokio::sync::{mpsc, watch};

use crate::raft::{RaftHandle, RaftStatus, Request, View};

/// The loop's end of a handle.
pub(crate) struct FakeLoop {
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) view: Arc<ArcSwap<View>>,
}

/// A handle, and the loop's end of it for the test to play.
pub(crate) fn raft() -> (RaftHandle, FakeLoop) {
    let (to_loop, requests) = mpsc::channel(16);
    let view = Arc::new(ArcSwap::from_pointee(View { state: State::new(), index: LogIndex(0) }));
    let (_, status) = watch::channel(RaftStatus::default());
    let (_, applied) = watch::channel(LogIndex(0));
    let handle = RaftHandle { requests: to_loop, view: Arc::clone(&view), status, applied };
    (handle, FakeLoop { requests, view })
}

/// `count` nodes on loopback, `node-1` in `cloud-1` and so on, with the ports of the product.
pub(crate) fn config(count: u64) -> Config {
    let ports = Ports { raft: 7379, grpc: 50051, http: 8080, s3: 9000 };
    let node = |id| Node {
        id: NodeId(id),
        name: format!("node-{id}"),
        cloud: format!("cloud-{id}"),
        address: "127.0.0.1".into(),
        raft_port: ports.raft,
        grpc_port: ports.grpc,
        http_port: ports.http,
        voter: true,
    };
    let network = Ipv4Net { base: [127, 0, 0, 0].into(), len: 8 };
    let cloud = |id| (format!("cloud-{id}"), Cloud { network, region: String::new(), provider: None });
    Config {
        cluster: Cluster { name: "farquorum".into(), allow_single_node: true },
        clouds: (1..=count).map(cloud).collect::<BTreeMap<_, _>>(),
        links: Vec::new(),
        local_link: LinkShape::default(),
        nodes: (1..=count).map(node).collect(),
        workers: Vec::new(),
        storage: Storage {
            service: StorageService::S3,
            account: None,
            region: "us-east-1".to_owned(),
            bucket: "pipeline-data".into(),
            cloud: "cloud-1".into(),
            address: "127.0.0.1".into(),
            port: ports.s3,
            tls: false,
            ca: None,
            log: LogBackend::Memory,
        },
        raft: Raft {
            heartbeat: Duration::from_millis(50),
            election_timeout: Duration::from_millis(500),
            bootstrap: true,
            log_keep_entries: 1000,
            snapshot_every_entries: 10_000,
            data_dir: None,
        },
        tasks: Tasks {
            heartbeat: Duration::from_secs(5),
            lease: Duration::from_secs(15),
            timeout: Duration::from_secs(3600),
            keep_finished: Duration::from_secs(86_400),
            keep_finished_max: 100_000,
        },
        limits: Limits {
            value_bytes_max: 1 << 20,
            key_bytes_max: 4096,
            payload_bytes_max: 1 << 20,
            proposals_max: 4096,
            connections_max: 1024,
            message_bytes_max: 4 << 20,
            request_timeout: Duration::from_secs(10),
            free_bytes_min: 0,
        },
        ports,
        lab: Lab {
            seed: 1,
            operator_cloud: "cloud-1".into(),
            mtu: 1500,
            backend: LabBackend::Auto,
            lateness_p99_max: Duration::from_millis(3),
        },
        rollout: Default::default(),
        detours: Default::default(),
    }
}
