//! Probes over the real transport (MEAS-1): what they measure, what of them is told to whom.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests may fail")]

mod nodes;

use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use farquorum_proto::v1;
use farquorum_proto::v1::cluster_service_client::ClusterServiceClient;
use farquorum_proto::v1::peer_frame::Frame;
use farquorum_proto::v1::peer_reply::Reply;
use farquorum_proto::v1::raft_service_client::RaftServiceClient;
use farquorum_proto::v1::raft_service_server::{RaftService, RaftServiceServer};
use farquorum_tls::{AcceptLimits, Acceptor, Port, ServerFiles};
use nodes::{Nodes, until};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming};

/// How long the slow peer holds each probe.
const HOLD: Duration = Duration::from_millis(50);

/// A node that does nothing but hold probes, and says honestly for how long.
struct Slow;

#[tonic::async_trait]
impl RaftService for Slow {
    type StreamStream = Pin<Box<dyn Stream<Item = Result<v1::PeerReply, Status>> + Send>>;

    async fn stream(
        &self,
        request: Request<Streaming<v1::PeerFrame>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let mut frames = request.into_inner();
        let (replies, waiting) = mpsc::channel(64);
        tokio::spawn(async move {
            while let Ok(Some(frame)) = frames.message().await {
                tokio::spawn(reply(frame, replies.clone()));
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(waiting))))
    }

    async fn send_snapshot(
        &self,
        _: Request<Streaming<v1::SnapshotChunk>>,
    ) -> Result<Response<v1::SendSnapshotResponse>, Status> {
        Err(Status::unimplemented("takes no snapshots"))
    }
}

async fn reply(frame: v1::PeerFrame, replies: mpsc::Sender<Result<v1::PeerReply, Status>>) {
    let reply = match frame.frame {
        Some(Frame::Hello(_)) => {
            Reply::Hello(v1::HelloReply { store_id: Bytes::from_static(&[9; 16]), format: 1, level: 1 })
        }
        Some(Frame::Probe(probe)) => {
            let received = Instant::now();
            tokio::time::sleep(HOLD).await;
            let processing_ns = u64::try_from(received.elapsed().as_nanos()).unwrap();
            Reply::Probe(v1::ProbeReply { sequence: probe.sequence, processing_ns })
        }
        _ => return,
    };
    let _gone = replies.send(Ok(v1::PeerReply { reply: Some(reply) })).await;
}

/// Plays the peers' port of a node that does not run.
async fn play_slow(nodes: &Nodes, place: usize) {
    let (node, certs) = (&nodes.config.nodes[place], nodes.dir.path().join("certs"));
    let files = ServerFiles::in_dir(&certs, &node.name);
    let acceptor =
        Acceptor::new(&nodes.config.cluster.name, files, Port::Peer, AcceptLimits::default()).unwrap();
    let listener = tokio::net::TcpListener::bind(node.raft_address()).await.unwrap();
    let server = tonic::transport::Server::builder().add_service(RaftServiceServer::new(Slow));
    tokio::spawn(server.serve_with_incoming(acceptor.incoming(listener)));
}

async fn probe(
    nodes: &Nodes,
    holder: &str,
    count: u32,
    interval_ms: u32,
) -> Result<Vec<v1::ProbePeersResponse>, Status> {
    let mut client = ClusterServiceClient::new(nodes.channel(0, holder));
    let mut stream = client.probe_peers(v1::ProbePeersRequest { count, interval_ms }).await?.into_inner();
    let mut samples = Vec::new();
    while let Some(sample) = stream.message().await? {
        samples.push(sample);
    }
    Ok(samples)
}

/// The peer's own time is not the link's: not in the samples, not in the histograms, not in the metrics.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_responder_holds_is_subtracted() {
    let mut nodes = Nodes::prepare(3);
    play_slow(&nodes, 2).await;
    nodes.start_node(0);
    nodes.start_node(1);
    until("streams to both peers", async || {
        let status = nodes.status(0).await.ok()?;
        status.peers.iter().all(|peer| peer.rtt_minute.is_some()).then_some(())
    })
    .await;

    let samples = probe(&nodes, "admin-1", 20, 20).await.unwrap();
    for place in [1, 2] {
        let node = &nodes.config.nodes[place];
        let of_peer = samples.iter().filter(|sample| sample.peer_id == node.id.0);
        let rtts: Vec<u64> = of_peer.clone().filter_map(|sample| sample.rtt_us).collect();
        assert_eq!((of_peer.count(), rtts.len()), (20, 20), "{}: an answer to every probe", node.name);
        // The least of twenty: a busy machine makes some of them late, and never one early.
        let least = Duration::from_micros(rtts.into_iter().min().unwrap());
        assert!(least < HOLD, "{}: {least:?} with {HOLD:?} of the peer's own", node.name);
        assert!(
            samples.iter().any(|sample| sample.peer_name == node.name && sample.peer_cloud == node.cloud)
        );
    }
    let sent: Vec<u64> =
        samples.iter().filter(|sample| sample.peer_id == 2).map(|sample| sample.sent_us).collect();
    assert!(sent.last().unwrap() - sent[0] >= 19 * 10_000, "spread over time: {sent:?}");

    let status = nodes.status(0).await.unwrap();
    for peer in status.peers {
        let total = peer.rtt_total.unwrap();
        assert!(total.count > 20 && total.min_us < 50_000, "{}: {total:?}", peer.name);
        assert!(total.min_us <= total.p50_us && total.p50_us <= total.p99_us && total.p99_us <= total.max_us);
    }
    let (_, metrics) = nodes.http(0, "/metrics").await;
    let slow = &nodes.config.nodes[2];
    let series = format!(
        "farquorum_rtt_probe_seconds_bucket{{cloud=\"{}\",peer=\"{}\",le=\"0.05\"}} ",
        slow.cloud, slow.name
    );
    let line = metrics.lines().find_map(|line| line.strip_prefix(&series)).unwrap();
    assert!(line.parse::<u64>().unwrap() > 0, "no probe below 50 ms: {line}");
}

/// A node says how long it held a probe, and not more than the whole exchange took.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_says_how_long_it_held_a_probe() {
    let mut nodes = Nodes::prepare(2);
    nodes.start_node(0);
    let certs = nodes.dir.path().join("certs");
    let hello = v1::Hello {
        cluster_id: nodes.config.cluster.name.clone(),
        from: nodes.config.nodes[1].id.0,
        to: nodes.config.nodes[0].id.0,
        store_id: Bytes::from_static(&[7; 16]),
        format: 1,
        lane: v1::Lane::Control.into(),
        group: 0,
        level: 1,
    };
    let frames = [Frame::Hello(hello), Frame::Probe(v1::Probe { sequence: 5 })];
    let frames: Vec<_> = frames.map(|frame| v1::PeerFrame { frame: Some(frame) }).into();
    let name = nodes.config.nodes[1].name.clone();
    until("the peers' port", async || nodes.status(0).await.ok()).await;
    let mut client = RaftServiceClient::new(nodes.raft_channel(0, &certs, &name));
    let begun = Instant::now();
    let mut replies = client.stream(tokio_stream::iter(frames)).await.unwrap().into_inner();
    let mut answers = Vec::new();
    while let Some(reply) = replies.message().await.unwrap() {
        answers.push(reply.reply.unwrap());
    }
    let Some(Reply::Probe(answer)) = answers.last() else { panic!("{answers:?}") };
    assert_eq!(answer.sequence, 5);
    assert!(answer.processing_ns > 0 && Duration::from_nanos(answer.processing_ns) < begun.elapsed());
}

/// SEC-1 and bad input; a peer that is not there gives samples without a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_asked_is_refused() {
    let mut nodes = Nodes::prepare(3);
    nodes.start_node(0);
    until("the node", async || nodes.status(0).await.ok()).await;
    let samples = probe(&nodes, "admin-1", 3, 10).await.unwrap();
    assert_eq!((samples.len(), samples.iter().find(|sample| sample.rtt_us.is_some())), (6, None));
    for (holder, count, interval_ms, code, says) in [
        ("client-1", 1, 10, Code::PermissionDenied, "role"),
        ("worker-1", 1, 10, Code::PermissionDenied, "role"),
        ("admin-1", 0, 10, Code::InvalidArgument, "count is 0, 1 to 100000"),
        ("admin-1", 100_001, 10, Code::InvalidArgument, "count is 100001"),
        ("admin-1", 1, 9, Code::InvalidArgument, "interval_ms is 9, must be 10 to 60000"),
        ("admin-1", 1, 60_001, Code::InvalidArgument, "interval_ms is 60001"),
    ] {
        let status = probe(&nodes, holder, count, interval_ms).await.unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().contains(says), "{:?} does not say {says:?}", status.message());
    }
}
