//! The peers' port against those who should not speak there, and against what should not be said there (SEC-3). After
//! every case the node still leads and serves.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests may fail")]

mod nodes;

use bytes::Bytes;
use farquorum_proto::v1;
use farquorum_proto::v1::kv_service_client::KvServiceClient;
use farquorum_proto::v1::raft_service_client::RaftServiceClient;
use farquorum_tls::Role;
use nodes::{Nodes, holder};
use tonic::{Code, Status};

/// Three configured nodes of which only the first two run: the third is the intruder, with a valid certificate.
struct Setting {
    nodes: Nodes,
    target: usize,
}

impl Setting {
    async fn new() -> Self {
        let mut nodes = Nodes::prepare(3);
        nodes.start_node(0);
        nodes.start_node(1);
        let target = nodes.leader().await;
        Self { nodes, target }
    }

    /// A Hello as the third node would send it.
    fn hello(&self) -> v1::Hello {
        v1::Hello {
            cluster_id: self.nodes.config.cluster.name.clone(),
            from: self.nodes.config.nodes[2].id.0,
            to: self.nodes.config.nodes[self.target].id.0,
            store_id: Bytes::from_static(&[7; 16]),
            format: 1,
            lane: v1::Lane::Entries.into(),
            group: 0,
            level: 1,
        }
    }

    fn client(&self, holder: &str) -> RaftServiceClient<tonic::transport::Channel> {
        let certs = self.nodes.dir.path().join("certs");
        RaftServiceClient::new(self.nodes.raft_channel(self.target, &certs, holder))
    }

    /// Sends these frames; the number of answers, and how the stream ended.
    async fn send(&self, holder: &str, frames: Vec<v1::PeerFrame>) -> (usize, Result<(), Status>) {
        let mut answers = match self.client(holder).stream(tokio_stream::iter(frames)).await {
            Ok(answer) => answer.into_inner(),
            Err(status) => return (0, Err(status)),
        };
        let mut count = 0;
        loop {
            match answers.message().await {
                Ok(Some(_)) => count += 1,
                Ok(None) => return (count, Ok(())),
                Err(status) => return (count, Err(status)),
            }
        }
    }

    async fn lives(&self) {
        let leader = self.nodes.leader().await;
        let mut client = KvServiceClient::new(self.nodes.channel(leader, "client-1"));
        let request = v1::SetRequest { key: "k".into(), value: "v".into() };
        client.set(request).await.unwrap();
        assert!(self.nodes.status(self.target).await.unwrap().leader_id != 0);
    }
}

fn frame(frame: v1::peer_frame::Frame) -> v1::PeerFrame {
    v1::PeerFrame { frame: Some(frame) }
}

fn batch(messages: &[&'static [u8]]) -> v1::PeerFrame {
    let messages = messages.iter().map(|message| Bytes::from_static(message)).collect();
    frame(v1::peer_frame::Frame::Batch(v1::RaftBatch { messages, group: 0 }))
}

/// SEC-3: every field of a Hello, and the certificate behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_node_itself_gets_in() {
    let setting = Setting::new().await;
    let third = setting.nodes.config.nodes[2].name.clone();
    let other = setting.nodes.config.nodes[1 - setting.target].name.clone();
    let certs = setting.nodes.dir.path().join("certs");
    holder(&certs, Role::Node, "stranger");
    let change = |change: fn(&mut v1::Hello)| {
        let mut hello = setting.hello();
        change(&mut hello);
        vec![frame(v1::peer_frame::Frame::Hello(hello))]
    };
    let cases = [
        (&third, change(|hello| hello.cluster_id = "other".into()), "this is cluster"),
        (&third, change(|hello| hello.to = 99), "for node 99"),
        (&third, change(|hello| hello.from = 99), "node 99 is no member"),
        (&third, change(|hello| hello.format = 99), "format 99"),
        (&third, change(|hello| hello.lane = 99), "lane 99"),
        (&third, change(|hello| hello.store_id = Bytes::new()), "store id of 0 bytes"),
        (&other, change(|_| ()), "the certificate belongs to"),
        (&"stranger".to_owned(), change(|_| ()), "the certificate belongs to \"stranger\""),
        (&third, vec![batch(&[b"x"])], "not a Hello"),
        (&third, vec![v1::PeerFrame { frame: None }], "not a Hello"),
        (&third, vec![], "not a Hello"),
    ];
    for (holder, frames, expected) in cases {
        let (answers, ended) = setting.send(holder, frames).await;
        let status = ended.unwrap_err();
        assert_eq!((answers, status.code()), (0, Code::PermissionDenied), "{expected}: {status}");
        assert!(status.message().contains(expected), "{:?} does not say {expected:?}", status.message());
    }
    for role in ["worker-1", "admin-1"] {
        let (answers, ended) = setting.send(role, change(|_| ())).await;
        assert!(answers == 0 && ended.is_err(), "{role} spoke Raft");
    }
    setting.lives().await;
}

/// A known node that comes with another data folder has lost its memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_keeps_its_store() {
    let setting = Setting::new().await;
    let third = setting.nodes.config.nodes[2].name.clone();
    let hello = |store: &'static [u8; 16]| {
        let hello = v1::Hello { store_id: Bytes::from_static(store), ..setting.hello() };
        vec![frame(v1::peer_frame::Frame::Hello(hello))]
    };
    for (store, accepted) in [(&[7; 16], true), (&[7; 16], true), (&[8; 16], false), (&[7; 16], true)] {
        let (answers, ended) = setting.send(&third, hello(store)).await;
        assert_eq!((answers, ended.is_ok()), (usize::from(accepted), accepted), "{ended:?}");
    }
}

/// Malformed, hostile and oversized frames of a node with a valid certificate end in an error or in nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_hostile_peer_says_does_no_harm() {
    let setting = Setting::new().await;
    let third = setting.nodes.config.nodes[2].name.clone();
    let hello = frame(v1::peer_frame::Frame::Hello(setting.hello()));
    // eraftpb.Message: field 1 is the type, 2 `to`, 3 `from`, 4 the term. 19 is MsgReadIndex, 2 MsgPropose; each
    // without entries panics raft-rs.
    let messages: [&'static [u8]; 8] = [
        b"",
        b"\xff\xff\xff\xff",
        b"\x08\x13\x10\x01\x18\x03",
        b"\x08\x02\x10\x01\x18\x03",
        b"\x08\x13\x10\x02\x18\x03",
        b"\x08\x02\x10\x02\x18\x03",
        b"\x08\x7f\x10\x01\x18\x03",
        b"\x08\x03\x10\x01\x18\x01\x20\x64",
    ];
    let (answers, _) = setting.send(&third, vec![hello.clone(), batch(&messages)]).await;
    assert!(answers >= 1);
    for bad in [hello.clone(), v1::PeerFrame { frame: None }] {
        let (answers, ended) = setting.send(&third, vec![hello.clone(), bad]).await;
        assert_eq!((answers, ended.unwrap_err().code()), (1, Code::InvalidArgument));
    }
    let max = usize::try_from(setting.nodes.config.limits.message_bytes_max).unwrap() + (8 << 20);
    let huge = vec![Bytes::from(vec![0; max])];
    let huge = frame(v1::peer_frame::Frame::Batch(v1::RaftBatch { messages: huge, group: 0 }));
    let (_, ended) = setting.send(&third, vec![hello, huge]).await;
    assert_eq!(ended.unwrap_err().code(), Code::OutOfRange);
    setting.lives().await;
}

/// A snapshot that is not whole is refused, and does not reach the loop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_snapshot_is_refused() {
    let setting = Setting::new().await;
    let third = setting.nodes.config.nodes[2].name.clone();
    let chunk = |data: &'static [u8], crc32: u32| v1::SnapshotChunk {
        hello: Some(setting.hello()),
        total_bytes: 3,
        digest: Bytes::copy_from_slice(blake3::hash(b"abc").as_bytes()),
        data: Bytes::from_static(data),
        crc32,
        ..v1::SnapshotChunk::default()
    };
    let crc = crc32fast::hash;
    let cases = [
        (vec![], "without chunks"),
        (vec![v1::SnapshotChunk { hello: None, ..chunk(b"abc", crc(b"abc")) }], "not a Hello"),
        (vec![chunk(b"abc", 0)], "another CRC-32"),
        (vec![chunk(b"ab", crc(b"ab"))], "2 of 3 bytes"),
        (vec![chunk(b"abd", crc(b"abd"))], "another digest"),
        (vec![chunk(b"abcd", crc(b"abcd"))], "beyond the announced 3"),
        (vec![v1::SnapshotChunk { total_bytes: u64::MAX, ..chunk(b"abc", crc(b"abc")) }], "at most"),
    ];
    for (chunks, expected) in cases {
        let status = setting.client(&third).send_snapshot(tokio_stream::iter(chunks)).await.unwrap_err();
        assert!(status.message().contains(expected), "{:?} does not say {expected:?}", status.message());
    }
    setting.lives().await;
}
