//! [`Transport`] over gRPC with mutual TLS: per peer one task and one connection for each lane, and one more for a
//! snapshot while it is sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use farquorum_config::{Config, Node, NodeId};
use farquorum_core::Level;
use farquorum_proto::v1;
use farquorum_tls::ClientTls;
use prometheus::HistogramVec;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::dial::Dialer;
use super::hello::{Local, StoreIds};
use super::lane::Lane;
use super::levels::Levels;
use super::peers::{LaneKind, LinkStatus, Peer, Peers};
use super::probe::{Asker, asks};
use super::queue::{LaneSender, lane};
use super::{Outgoing, OutgoingSnapshot, Transport, snapshot};
use crate::clock::{Clock, SystemClock};
use crate::raft::RaftHandle;

/// Least time that sending a snapshot may take; a slow link gets more for each MiB.
const SNAPSHOT_TIME: Duration = Duration::from_secs(30);

/// Time on top for each MiB: a link of 8 Mbit/s makes it.
const SNAPSHOT_TIME_PER_MIB: Duration = Duration::from_secs(1);

/// The transport of one node.
pub struct PeerTransport {
    peers: Peers,
    queues: BTreeMap<NodeId, Queues>,
    ids: Identities,
    dialer: Dialer,
    raft: RaftHandle,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Snapshots are handed over by a thread of the Raft loop, which is outside the runtime.
    runtime: Handle,
}

struct Queues {
    entries: LaneSender,
    control: LaneSender,
    /// Into the control lane.
    asks: mpsc::Sender<Asker>,
}

/// Who this node is, and who the others turned out to be.
#[derive(Clone)]
pub(crate) struct Identities {
    pub(crate) local: Arc<Local>,
    pub(crate) stores: Arc<StoreIds>,
    pub(crate) levels: Arc<Levels>,
}

impl PeerTransport {
    /// Starts to dial all peers of `me`. `raft` is told of broken streams; `rtt_seconds` has the labels peer and
    /// cloud. Needs a tokio runtime.
    pub(crate) fn start(
        config: &Config,
        me: &Node,
        ids: Identities,
        tls: ClientTls,
        raft: RaftHandle,
        rtt_seconds: &HistogramVec,
    ) -> Arc<Self> {
        let peers = super::peers::peers(config, me, rtt_seconds);
        let dialer = Dialer::new(tls, super::message_bytes_max(config));
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let open = |peer: &Arc<Peer>, kind: LaneKind| {
            let ((sender, queue), (asks, asked)) = (lane(), asks());
            let lane = Lane {
                kind,
                peer: Arc::clone(peer),
                ids: ids.clone(),
                dialer: dialer.clone(),
                raft: raft.clone(),
                heartbeat: config.raft.heartbeat,
                election_timeout: config.raft.election_timeout,
            };
            tasks.spawn(lane.run(queue, asked, stop.child_token()));
            (sender, asks)
        };
        let queues = |peer| {
            let ((entries, _), (control, asks)) =
                (open(peer, LaneKind::Entries), open(peer, LaneKind::Control));
            Queues { entries, control, asks }
        };
        let queues = peers.iter().map(|(id, peer)| (*id, queues(peer))).collect();
        let runtime = Handle::current();
        Arc::new(Self { peers, queues, ids, dialer, raft, stop, tasks, runtime })
    }

    /// Closes all connections and waits until their tasks are gone.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// The links to all peers at this moment.
    pub fn links(&self) -> BTreeMap<NodeId, LinkStatus> {
        let (now, boot) = (Instant::now(), SystemClock.boot());
        self.peers.iter().map(|(id, peer)| (*id, peer.status(now, boot))).collect()
    }

    /// Sends one probe on the open stream to a peer. The receiver gets its round-trip time, or is dropped when no
    /// answer came before the stream ended; none when there is no open stream, or more probes wait than it takes.
    pub(crate) fn probe(&self, to: NodeId) -> Option<oneshot::Receiver<Duration>> {
        let up = self.peers.get(&to).is_some_and(|peer| peer.is_up(LaneKind::Control));
        let queues = self.queues.get(&to).filter(|_| up)?;
        let (asker, answer) = oneshot::channel();
        queues.asks.try_send(asker).ok()?;
        Some(answer)
    }

    fn dropped(&self, peer: &Peer) {
        // Once for the first and then seldom: a full queue drops thousands a second.
        if peer.add_dropped().is_multiple_of(1000) {
            tracing::warn!(peer = peer.node.name, "queue to peer is full: messages are dropped");
            self.raft.unreachable(peer.id());
        }
    }
}

impl Transport for PeerTransport {
    fn level(&self, peer: NodeId) -> Level {
        self.ids.levels.of(peer)
    }

    fn send(&self, messages: Vec<Outgoing>) {
        for Outgoing { to, message, control } in messages {
            let (Some(queues), Some(peer)) = (self.queues.get(&to), self.peers.get(&to)) else {
                tracing::warn!(%to, "no such peer in the configuration: message dropped");
                continue;
            };
            let queue = if control { &queues.control } else { &queues.entries };
            if !queue.push(message) {
                self.dropped(peer);
            }
        }
    }

    fn send_snapshot(&self, outgoing: OutgoingSnapshot) {
        let (raft, to) = (self.raft.clone(), outgoing.to);
        let Some(peer) = self.peers.get(&to).cloned() else {
            tracing::warn!(%to, "no such peer in the configuration: snapshot not sent");
            self.tasks.spawn_on(async move { raft.snapshot_sent(to, false).await }, &self.runtime);
            return;
        };
        let (dialer, stop) = (self.dialer.clone(), self.stop.child_token());
        let hello = self.ids.local.hello(to, v1::Lane::Entries);
        let send = async move {
            let bytes = outgoing.data.len();
            let sent = tokio::select! {
                () = stop.cancelled() => Err("the node is stopping".to_owned()),
                sent = send_snapshot(&dialer, &peer, hello, outgoing) => sent,
            };
            match &sent {
                Ok(()) => tracing::info!(peer = peer.node.name, bytes, "snapshot sent"),
                Err(error) => tracing::warn!(peer = peer.node.name, bytes, error, "snapshot not sent"),
            }
            raft.snapshot_sent(to, sent.is_ok()).await;
        };
        self.tasks.spawn_on(send, &self.runtime);
    }
}

async fn send_snapshot(
    dialer: &Dialer,
    peer: &Peer,
    hello: v1::Hello,
    outgoing: OutgoingSnapshot,
) -> Result<(), String> {
    let mib = u32::try_from(outgoing.data.len() >> 20).unwrap_or(u32::MAX);
    let limit = SNAPSHOT_TIME + SNAPSHOT_TIME_PER_MIB.saturating_mul(mib);
    let mut client = dialer.dial(peer).await.map_err(|error| error.to_string())?;
    peer.add_sent(u64::try_from(outgoing.data.len()).unwrap_or(u64::MAX));
    let chunks = snapshot::chunks(hello, outgoing.message, outgoing.data);
    let call = client.send_snapshot(tokio_stream::iter(chunks));
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(status)) => Err(status.to_string()),
        Err(_) => Err(format!("not done within {limit:?}")),
    }
}
