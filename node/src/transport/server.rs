//! The peers' side of the Raft port: takes streams from other nodes and hands their messages to the loop.
//!
//! Nothing of a stream is looked at before its Hello has passed [`super::hello`]; the messages themselves stay bytes
//! here and are checked by the driver. Flow control is the stream's own: a busy loop takes no more, the window
//! fills, the sender waits.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use farquorum_config::{Config, NodeId};
use farquorum_proto::v1;
use farquorum_proto::v1::raft_service_server::RaftService;
use farquorum_tls::{PeerInfo, Role};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::hello::{self, HelloError};
use super::peer::Identities;
use super::snapshot::Assembly;
use crate::raft::RaftHandle;

/// Answers that may wait for a slow peer: one for each probe of a session that is about to end anyway.
const REPLIES_MAX: usize = 64;

/// Snapshots that are taken at once: there is one leader, and a second covers a change of leaders. Each may hold a
/// whole state in memory.
const SNAPSHOTS_MAX: usize = 2;

/// Longest time between two chunks of a snapshot, and before the first frame of a stream.
const PAUSE_MAX: Duration = Duration::from_secs(10);

type Replies = Pin<Box<dyn Stream<Item = Result<v1::PeerReply, Status>> + Send>>;

/// RaftService of one node.
#[derive(Clone)]
pub(crate) struct PeerServer {
    config: Arc<Config>,
    ids: Identities,
    raft: RaftHandle,
    snapshots: Arc<Semaphore>,
}

impl PeerServer {
    pub(crate) fn new(config: Arc<Config>, ids: Identities, raft: RaftHandle) -> Self {
        Self { config, ids, raft, snapshots: Arc::new(Semaphore::new(SNAPSHOTS_MAX)) }
    }

    fn admit(&self, hello: Option<&v1::Hello>, certificate: &str) -> Result<NodeId, Status> {
        let checked = hello.ok_or(HelloError::Missing).and_then(|hello| {
            let from = hello::check(hello, certificate, &self.ids.local, &self.config)?;
            self.ids.stores.check(from, &hello.store_id)?;
            self.ids.levels.said(from, hello.level);
            Ok(from)
        });
        checked.map_err(|error| {
            tracing::warn!(target: "audit", peer = certificate, %error, "peer refused");
            Status::permission_denied(format!("node {} refuses this stream: {error}", self.ids.local.id))
        })
    }

    /// Serves one stream until it ends.
    async fn serve(
        self,
        mut frames: Streaming<v1::PeerFrame>,
        certificate: String,
        replies: mpsc::Sender<Result<v1::PeerReply, Status>>,
    ) {
        if let Err(status) = self.exchange(&mut frames, &certificate, &replies).await {
            tracing::debug!(peer = certificate, %status, "stream of a peer ended");
            // A peer that does not read its answers learns it from the closed stream.
            let _ = replies.try_send(Err(status));
        }
    }

    async fn exchange(
        &self,
        frames: &mut Streaming<v1::PeerFrame>,
        certificate: &str,
        replies: &mpsc::Sender<Result<v1::PeerReply, Status>>,
    ) -> Result<(), Status> {
        let first = within(PAUSE_MAX, frames.message()).await?;
        let hello = first.and_then(|frame| match frame.frame {
            Some(v1::peer_frame::Frame::Hello(hello)) => Some(hello),
            _ => None,
        });
        let from = self.admit(hello.as_ref(), certificate)?;
        answer(replies, v1::peer_reply::Reply::Hello(self.ids.local.welcome())).await?;
        while let Some(frame) = frames.message().await? {
            match frame.frame {
                Some(v1::peer_frame::Frame::Batch(batch)) => self.take(from, batch).await?,
                Some(v1::peer_frame::Frame::Probe(probe)) => probed(replies, probe).await?,
                Some(v1::peer_frame::Frame::Hello(_)) => {
                    return Err(Status::invalid_argument("a second Hello in one stream"));
                }
                None => {
                    return Err(Status::invalid_argument(
                        "a frame that is empty or of a kind not known here",
                    ));
                }
            }
        }
        Ok(())
    }

    async fn take(&self, from: NodeId, batch: v1::RaftBatch) -> Result<(), Status> {
        if batch.group != 0 {
            return Err(Status::invalid_argument(format!("group {}, there is only group 0", batch.group)));
        }
        self.raft.incoming(from, batch.messages).await.map_err(|_| stopping())
    }

    async fn receive(
        &self,
        mut chunks: Streaming<v1::SnapshotChunk>,
        certificate: &str,
    ) -> Result<(), Status> {
        let refuse = |error: super::snapshot::SnapshotError| Status::data_loss(error.to_string());
        let none = || Status::invalid_argument("a snapshot without chunks");
        let first = within(PAUSE_MAX, chunks.message()).await?.ok_or_else(none)?;
        let from = self.admit(first.hello.as_ref(), certificate)?;
        let busy =
            |_| Status::resource_exhausted(format!("{SNAPSHOTS_MAX} snapshots are on their way in already"));
        let _one_of = self.snapshots.try_acquire().map_err(busy)?;
        let mut assembly = Assembly::begin(&first).map_err(refuse)?;
        assembly.add(&first).map_err(refuse)?;
        while let Some(chunk) = within(PAUSE_MAX, chunks.message()).await? {
            assembly.add(&chunk).map_err(refuse)?;
        }
        let message: Bytes = assembly.finish().map_err(refuse)?;
        tracing::info!(peer = certificate, bytes = message.len(), "snapshot received");
        self.raft.incoming(from, vec![message]).await.map_err(|_| stopping())
    }
}

#[tonic::async_trait]
impl RaftService for PeerServer {
    type StreamStream = Replies;

    async fn stream(&self, request: Request<Streaming<v1::PeerFrame>>) -> Result<Response<Replies>, Status> {
        let certificate = node_name(&request)?;
        let (replies, waiting) = mpsc::channel(REPLIES_MAX);
        tokio::spawn(self.clone().serve(request.into_inner(), certificate, replies));
        Ok(Response::new(Box::pin(ReceiverStream::new(waiting))))
    }

    async fn send_snapshot(
        &self,
        request: Request<Streaming<v1::SnapshotChunk>>,
    ) -> Result<Response<v1::SendSnapshotResponse>, Status> {
        let certificate = node_name(&request)?;
        self.receive(request.into_inner(), &certificate).await?;
        Ok(Response::new(v1::SendSnapshotResponse {}))
    }
}

/// The name in the peer's certificate, when its role is node. The port's authority signs only nodes, and the table of
/// roles is asked before; this is the third door.
fn node_name<T>(request: &Request<T>) -> Result<String, Status> {
    let info = request.extensions().get::<PeerInfo>();
    let identity = info.map(|info| &info.identity).filter(|identity| identity.role == Role::Node);
    identity
        .map(|identity| identity.name.clone())
        .ok_or_else(|| Status::permission_denied("only nodes speak Raft"))
}

async fn probed(
    replies: &mpsc::Sender<Result<v1::PeerReply, Status>>,
    probe: v1::Probe,
) -> Result<(), Status> {
    let received = std::time::Instant::now();
    let room = replies.reserve().await.map_err(|_| stopping())?;
    let processing_ns = u64::try_from(received.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let reply = v1::ProbeReply { sequence: probe.sequence, processing_ns };
    room.send(Ok(v1::PeerReply { reply: Some(v1::peer_reply::Reply::Probe(reply)) }));
    Ok(())
}

async fn answer(
    replies: &mpsc::Sender<Result<v1::PeerReply, Status>>,
    reply: v1::peer_reply::Reply,
) -> Result<(), Status> {
    replies.send(Ok(v1::PeerReply { reply: Some(reply) })).await.map_err(|_| stopping())
}

async fn within<T>(
    limit: Duration,
    message: impl Future<Output = Result<Option<T>, Status>>,
) -> Result<Option<T>, Status> {
    let late = |_| Status::deadline_exceeded(format!("nothing came for {limit:?}"));
    tokio::time::timeout(limit, message).await.map_err(late)?
}

fn stopping() -> Status {
    Status::unavailable("the node is stopping")
}
