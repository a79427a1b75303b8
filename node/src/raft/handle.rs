//! The one way to the Raft loop: everything else in the node holds a [`RaftHandle`] and knows nothing of raft-rs.
//!
//! A handle is cheap to clone. Every call ends by its deadline; a full queue answers `Overloaded` at once.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use farquorum_config::NodeId;
use farquorum_core::{Command, Level, LogIndex, Outcome, Rejection, State};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// Requests that may wait for the loop. The loop drains all of them at every turn, so this bounds one turn's work;
/// beyond it the node is overloaded and says so.
pub(crate) const REQUESTS_MAX: usize = 16_384;

/// The applied state as of one log index.
#[derive(Clone)]
pub struct View {
    /// The state; a clone costs O(1).
    pub state: State,
    /// Last index that it holds.
    pub index: LogIndex,
}

/// A proposal that was committed and applied here.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Its index in the log.
    pub index: LogIndex,
    /// What it did, or why it changed nothing.
    pub outcome: Result<Outcome, Rejection>,
}

/// Who leads, as far as this node knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leader {
    /// None: unknown at the moment.
    pub id: Option<NodeId>,
    /// Term of this knowledge.
    pub term: u64,
}

/// Why a request to the loop got no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RaftError {
    /// This node does not lead; certainly nothing was done.
    #[error("this node does not lead (term {})", .0.term)]
    NotLeader(Leader),
    /// The queue of proposals is full; certainly nothing was done.
    #[error("overloaded: {waiting} proposals wait, at most {max} may")]
    Overloaded {
        /// How many wait.
        waiting: u64,
        /// How many may.
        max: u64,
    },
    /// The disk of this node does not answer; certainly nothing was done.
    #[error("the disk has not finished a write for {for_ms} ms: proposals are refused")]
    DiskStuck {
        /// Since when.
        for_ms: u64,
    },
    /// A member would misread the command; certainly nothing was done.
    #[error(
        "this needs level {needed} of every member, and node {node} has level {has} as far as is known: update it \
         to a version that has level {needed} (farquorum status shows the versions), or take it out of the cluster"
    )]
    Level {
        /// By the command.
        needed: Level,
        /// A member that has less; the first of them.
        node: NodeId,
        /// What it has.
        has: Level,
    },
    /// The deadline passed. A proposal may still be committed later: its outcome is unknown.
    #[error("no answer within the deadline; whether it happens is unknown")]
    Deadline,
    /// Leadership was lost while the proposal was on its way: its outcome is unknown.
    #[error("leadership was lost; whether the proposal happens is unknown")]
    LostLeadership(Leader),
    /// The node is shutting down.
    #[error("the node is stopping")]
    Stopping,
}

/// This node's role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Follows, or has just started.
    #[default]
    Follower,
    /// Asks for votes (also before the pre-vote is won).
    Candidate,
    /// Leads.
    Leader,
}

/// What the leader knows of another member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which member.
    pub id: NodeId,
    /// Last index that it is known to hold.
    pub matched: u64,
    /// Whether it was heard of within the last election timeout.
    pub active: bool,
    /// Whether it votes.
    pub voter: bool,
}

/// The loop's state after its last turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RaftStatus {
    /// Own role.
    pub role: Role,
    /// Who leads, in which term.
    pub leader: Leader,
    /// Committed index.
    pub committed: u64,
    /// Applied index.
    pub applied: u64,
    /// First index in the log.
    pub first_index: u64,
    /// Last index in the log.
    pub last_index: u64,
    /// Voting members.
    pub voters: Vec<NodeId>,
    /// Learners.
    pub learners: Vec<NodeId>,
    /// At the leader: the other members. Empty elsewhere.
    pub progress: Vec<Progress>,
    /// Elections that this node started since the process did.
    pub elections: u64,
    /// Whether the log's tail is in doubt: this node does not vote until it has caught up.
    pub in_doubt: bool,
}

/// What can be asked of the loop.
pub(crate) enum Request {
    /// Replicate a command. The loop answers when it is applied here, or with an error.
    Propose {
        /// What.
        command: Command,
        /// The answer's way back. Dropped by the caller at its deadline.
        reply: oneshot::Sender<Result<Applied, RaftError>>,
    },
    /// Confirm that this node's (or the leader's) commit index is current; answers when it is applied here.
    Read {
        /// The answer's way back.
        reply: oneshot::Sender<Result<(), RaftError>>,
    },
    /// Raft messages from a peer, already checked for sender, receiver and cluster.
    Incoming {
        /// The certificate's node.
        from: NodeId,
        /// As raft-rs encodes them.
        messages: Vec<bytes::Bytes>,
    },
    /// The stream to a peer broke.
    Unreachable(NodeId),
    /// A snapshot was delivered, or not.
    SnapshotSent {
        /// To whom.
        to: NodeId,
        /// Whether it arrived whole.
        ok: bool,
    },
    /// Hand leadership over.
    Transfer {
        /// To whom; none: the best follower.
        to: Option<NodeId>,
        /// The new leader, or why not.
        reply: oneshot::Sender<Result<NodeId, RaftError>>,
    },
}

/// The way to the Raft loop.
#[derive(Clone)]
pub struct RaftHandle {
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) view: Arc<ArcSwap<View>>,
    pub(crate) status: watch::Receiver<RaftStatus>,
    pub(crate) applied: watch::Receiver<LogIndex>,
}

impl RaftHandle {
    /// Replicates a command and waits until it is applied here.
    ///
    /// # Errors
    /// [`RaftError`]; after `Deadline` and `LostLeadership` the outcome is unknown.
    pub async fn propose(&self, command: Command, deadline: Instant) -> Result<Applied, RaftError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Propose { command, reply })?;
        Self::wait(answer, deadline).await?
    }

    /// A state that holds everything that was acknowledged anywhere before this call (ReadIndex).
    ///
    /// # Errors
    /// [`RaftError`]; nothing was changed in any case.
    pub async fn read(&self, deadline: Instant) -> Result<Arc<View>, RaftError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Read { reply })?;
        Self::wait(answer, deadline).await??;
        Ok(self.view())
    }

    /// The newest applied state of this node; may be behind the leader's.
    pub fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// The loop's state after its last turn.
    pub fn status(&self) -> RaftStatus {
        self.status.borrow().clone()
    }

    /// Changes whenever [`RaftHandle::status`] does.
    pub fn watch_status(&self) -> watch::Receiver<RaftStatus> {
        self.status.clone()
    }

    /// Changes whenever an entry was applied.
    pub fn watch_applied(&self) -> watch::Receiver<LogIndex> {
        self.applied.clone()
    }

    /// Hands leadership to `to`, or to the best follower.
    ///
    /// # Errors
    /// `NotLeader` when this node does not lead; `Deadline` when nobody took over in time.
    pub async fn transfer(&self, to: Option<NodeId>, deadline: Instant) -> Result<NodeId, RaftError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Transfer { to, reply })?;
        Self::wait(answer, deadline).await?
    }

    /// Hands over messages of a peer whose identity was checked. Waits for room: the peer's stream slows down, which
    /// is its flow control.
    ///
    /// # Errors
    /// `Stopping` only.
    pub async fn incoming(&self, from: NodeId, messages: Vec<bytes::Bytes>) -> Result<(), RaftError> {
        self.requests.send(Request::Incoming { from, messages }).await.map_err(|_| RaftError::Stopping)
    }

    /// Tells the loop that the stream to a peer broke; once per break. Lost when the loop is busy: the next
    /// heartbeat finds out.
    pub fn unreachable(&self, peer: NodeId) {
        let _ = self.requests.try_send(Request::Unreachable(peer));
    }

    /// Tells the loop how the sending of a snapshot ended; always, or the peer stays paused.
    pub async fn snapshot_sent(&self, to: NodeId, ok: bool) {
        let _ = self.requests.send(Request::SnapshotSent { to, ok }).await;
    }

    fn ask(&self, request: Request) -> Result<(), RaftError> {
        self.requests.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                let max = u64::try_from(REQUESTS_MAX).unwrap_or(u64::MAX);
                RaftError::Overloaded { waiting: max, max }
            }
            mpsc::error::TrySendError::Closed(_) => RaftError::Stopping,
        })
    }

    async fn wait<T>(answer: oneshot::Receiver<T>, deadline: Instant) -> Result<T, RaftError> {
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) => Err(RaftError::Stopping),
            Err(_) => Err(RaftError::Deadline),
        }
    }
}

/// How long a graceful stop waits for another node to take over, in election timeouts.
pub const HANDOVER_TIMEOUTS: u32 = 2;

/// Deadline of a request that came without one.
pub fn deadline_in(timeout: Duration) -> Instant {
    Instant::now() + timeout
}
