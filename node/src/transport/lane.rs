//! One lane to one peer: a task that keeps one stream open and moves messages from the queue into it.
//!
//! A session ends when the stream breaks or when nothing came back for the silence limit (probes see to it that a
//! living peer answers): TCP's own retransmission backoff kept a healed link silent for up to 26.7 s. On the control
//! lane that limit is one election timeout. On the entries lane probes wait behind megabytes on a slow link, so
//! silence there says little: it ends when the control lane does, and has a long limit of its own only against a
//! peer that stopped reading.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use farquorum_proto::v1;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;

use super::dial::{DialError, Dialer, backoff, dial_limit};
use super::hello::HelloError;
use super::peer::Identities;
use super::peers::{LaneKind, Peer};
use super::probe::{Asker, Probes};
use super::queue::LaneReceiver;
use crate::clock::{Clock, SystemClock};
use crate::raft::RaftHandle;

/// Frames between the queue and the stream: the stream takes them as its window allows, the rest waits in the queue
/// where it is counted.
const FRAMES_AHEAD: usize = 2;

/// Silence limit of the entries lane, in election timeouts.
const ENTRIES_SILENCE: u32 = 10;

/// All that a lane's task needs.
pub(crate) struct Lane {
    pub(crate) kind: LaneKind,
    pub(crate) peer: Arc<Peer>,
    pub(crate) ids: Identities,
    pub(crate) dialer: Dialer,
    pub(crate) raft: RaftHandle,
    pub(crate) heartbeat: Duration,
    pub(crate) election_timeout: Duration,
}

/// Why a session ended.
#[derive(Debug, Error)]
enum LaneError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the peer ended the stream: {0}")]
    Status(#[from] Box<tonic::Status>),
    #[error("the peer closed the stream")]
    Closed,
    #[error("nothing came back for {0:?}")]
    Silent(Duration),
    #[error("the control lane was lost")]
    ControlLost,
    #[error("refused: {0}")]
    Hello(#[from] HelloError),
}

impl Lane {
    /// Runs until `stop`. `asks` are probes that somebody wants on top of those of every heartbeat.
    pub(crate) async fn run(
        self,
        mut queue: LaneReceiver,
        mut asks: mpsc::Receiver<Asker>,
        stop: CancellationToken,
    ) {
        let mut failures = 0;
        while !stop.is_cancelled() {
            let opened = Instant::now();
            let ended = tokio::select! {
                () = stop.cancelled() => break,
                ended = self.session(&mut queue, &mut asks) => ended,
            };
            let was_up = self.peer.is_up(self.kind);
            self.peer.set_up(self.kind, false);
            queue.clear();
            // Who asked sees that no probe was sent.
            while asks.try_recv().is_ok() {}
            failures = if was_up && opened.elapsed() > self.election_timeout { 0 } else { failures + 1 };
            self.report(&ended, was_up, failures);
            let wait = backoff(failures, self.election_timeout, rand::random());
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.peer.set_up(self.kind, false);
    }

    fn report(&self, error: &LaneError, was_up: bool, failures: u32) {
        let (peer, lane) = (&self.peer.node.name, self.kind);
        if was_up {
            self.raft.unreachable(self.peer.id());
            tracing::warn!(peer, ?lane, %error, "link to peer lost");
        } else if failures == 1 {
            tracing::warn!(peer, ?lane, %error, "peer not reached; trying on");
        } else {
            tracing::debug!(peer, ?lane, %error, failures, "peer not reached");
        }
    }

    /// One connection from dial to end.
    async fn session(&self, queue: &mut LaneReceiver, asks: &mut mpsc::Receiver<Asker>) -> LaneError {
        let mut control = self.peer.watch_control();
        let follows_control = self.kind == LaneKind::Entries;
        if follows_control {
            if control.wait_for(|up| *up).await.is_err() {
                return LaneError::ControlLost;
            }
            // Entries that came meanwhile are as old as the wait.
            queue.clear();
        }
        let (frames, replies) = match self.open().await {
            Ok(open) => open,
            Err(error) => return error,
        };
        self.peer.set_up(self.kind, true);
        tracing::info!(peer = self.peer.node.name, lane = ?self.kind, "link to peer open");
        let probes = Mutex::new(Probes::default());
        tokio::select! {
            error = self.read(replies, &probes) => error,
            error = self.write(queue, asks, frames, &probes) => error,
            _ = control.wait_for(|up| !*up), if follows_control => LaneError::ControlLost,
        }
    }

    /// Dials, says who we are, and checks who answers.
    async fn open(&self) -> Result<(mpsc::Sender<v1::PeerFrame>, Streaming<v1::PeerReply>), LaneError> {
        let mut client = self.dialer.dial(&self.peer).await?;
        let (frames, queued) = mpsc::channel(FRAMES_AHEAD);
        let lane = match self.kind {
            LaneKind::Entries => v1::Lane::Entries,
            LaneKind::Control => v1::Lane::Control,
        };
        let hello = self.ids.local.hello(self.peer.id(), lane);
        let _ = frames.send(frame(v1::peer_frame::Frame::Hello(hello))).await;
        let limit = dial_limit(self.peer.configured_rtt);
        let greeting = async {
            let mut replies =
                client.stream(ReceiverStream::new(queued)).await.map_err(Box::new)?.into_inner();
            let first = replies.message().await.map_err(Box::new)?.ok_or(LaneError::Closed)?;
            Ok::<_, LaneError>((first, replies))
        };
        let (first, replies) =
            tokio::time::timeout(limit, greeting).await.map_err(|_| LaneError::Silent(limit))??;
        let Some(v1::peer_reply::Reply::Hello(hello)) = first.reply else {
            return Err(HelloError::Missing.into());
        };
        self.ids.stores.check(self.peer.id(), &hello.store_id)?;
        self.ids.levels.said(self.peer.id(), hello.level);
        self.peer.heard(Instant::now());
        Ok((frames, replies))
    }

    /// Takes answers until the stream ends or falls silent.
    async fn read(&self, mut replies: Streaming<v1::PeerReply>, probes: &Mutex<Probes>) -> LaneError {
        let limit = match self.kind {
            LaneKind::Control => self.election_timeout,
            LaneKind::Entries => self.election_timeout * ENTRIES_SILENCE,
        };
        loop {
            let reply = match tokio::time::timeout(limit, replies.message()).await {
                Err(_) => return LaneError::Silent(limit),
                Ok(Err(status)) => return Box::new(status).into(),
                Ok(Ok(None)) => return LaneError::Closed,
                Ok(Ok(Some(reply))) => reply,
            };
            self.peer.heard(Instant::now());
            if let Some(v1::peer_reply::Reply::Probe(answer)) = reply.reply {
                self.take_probe(answer, probes);
            }
        }
    }

    fn take_probe(&self, answer: v1::ProbeReply, probes: &Mutex<Probes>) {
        let processing = Duration::from_nanos(answer.processing_ns);
        let now = SystemClock.boot();
        let mut probes = probes.lock().unwrap_or_else(PoisonError::into_inner);
        let rtt = probes.answer(answer.sequence, processing, now);
        if let Some(rtt) = rtt.filter(|_| self.kind == LaneKind::Control) {
            self.peer.add_rtt(rtt, now);
        }
    }

    /// Moves messages and probes into the stream until it ends.
    async fn write(
        &self,
        queue: &mut LaneReceiver,
        asks: &mut mpsc::Receiver<Asker>,
        frames: mpsc::Sender<v1::PeerFrame>,
        probes: &Mutex<Probes>,
    ) -> LaneError {
        let mut probe_due = crate::clock::ticker(self.heartbeat);
        let probe = |asker| {
            let now = SystemClock.boot();
            let sequence = probes.lock().unwrap_or_else(PoisonError::into_inner).send(now, asker);
            frame(v1::peer_frame::Frame::Probe(v1::Probe { sequence }))
        };
        loop {
            // Room first: what is taken from the queue is then on its way, and time does not pass before a probe.
            let Ok(room) = frames.reserve().await else { return LaneError::Closed };
            tokio::select! {
                batch = queue.next_batch() => {
                    let Some(messages) = batch else { return LaneError::Closed };
                    self.peer.add_sent(messages.iter().map(|message| bytes_of(message.len())).sum());
                    room.send(frame(v1::peer_frame::Frame::Batch(v1::RaftBatch { messages, group: 0 })));
                }
                Some(asker) = asks.recv() => {
                    room.send(probe(Some(asker)));
                    // That was one: few packets on a link measure it best.
                    probe_due.reset();
                }
                _ = probe_due.tick() => {
                    room.send(probe(None));
                }
            }
        }
    }
}

fn frame(frame: v1::peer_frame::Frame) -> v1::PeerFrame {
    v1::PeerFrame { frame: Some(frame) }
}

fn bytes_of(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
