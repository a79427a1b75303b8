//! A node whose log was cut because its tail could not be trusted: what it promised and acknowledged may be gone.
//!
//! Until it has caught up it votes for nobody, does not campaign, and adds to no quorum: an append is acknowledged
//! only as far as the leader has committed without it, and answers to heartbeats confirm no read. It could still count
//! through what the leader remembers of it from before the cut. Therefore the first leader it hears is told a higher
//! term, once: the others elect one without this node, and that one starts from nothing. Should a leader remember
//! more than there is (it sends a commit index beyond the log), it is told again.
//!
//! Limit: a vote that was cut off for a term higher than all others know by now is forgotten; the wait of two longest
//! election timeouts before the doubt ends makes sure that such a candidacy is over.

use raft::eraftpb::{Message, MessageType};

/// State of a node in doubt.
#[derive(Debug)]
pub(crate) struct Doubt {
    ticks_left: u64,
    /// Last index of the log after the cut.
    cut_at: u64,
    /// Leaders count from this term on; none: none was heard yet.
    floor: Option<u64>,
    /// Term whose leader is proven to count nothing beyond the cut: it sent entries that begin at or before it.
    proven: Option<u64>,
    /// Highest commit index that the leader of `proven` told.
    leader_commit: u64,
}

/// How a message from a leader is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Take,
    /// Move to the term after this leader's before taking it, so that the others elect again.
    Outdate,
}

impl Doubt {
    pub(crate) fn new(cut_at: u64, election_ticks_max: usize) -> Self {
        let wait = u64::try_from(election_ticks_max).unwrap_or(u64::MAX);
        Self { ticks_left: wait.saturating_mul(2), cut_at, floor: None, proven: None, leader_commit: 0 }
    }

    pub(crate) fn tick(&mut self) {
        self.ticks_left = self.ticks_left.saturating_sub(1);
    }

    /// A message from a leader whose term is at least this node's; `last_index` ends the log here.
    pub(crate) fn hear(&mut self, message: &Message, last_index: u64) -> Verdict {
        let beyond = message.get_msg_type() == MessageType::MsgHeartbeat && message.commit > last_index;
        let floor = *self.floor.get_or_insert(message.term.saturating_add(1));
        if message.term < floor || beyond {
            self.floor = Some(floor.max(message.term.saturating_add(1)));
            return Verdict::Outdate;
        }
        let begins_before_cut = match message.get_msg_type() {
            MessageType::MsgAppend => message.index <= self.cut_at,
            MessageType::MsgSnapshot => true,
            _ => false,
        };
        if begins_before_cut && self.proven != Some(message.term) {
            self.proven = Some(message.term);
            self.leader_commit = 0;
        }
        if self.proven == Some(message.term) {
            self.leader_commit = self.leader_commit.max(message.commit);
        }
        Verdict::Take
    }

    /// True when everything that the leader of this `term` has committed is durable here: `committed_own_term` says
    /// that this includes an entry of its own term, `durable` is the last committed index that is on the disk.
    pub(crate) fn is_over(&self, term: u64, committed_own_term: bool, durable: u64) -> bool {
        self.ticks_left == 0
            && self.proven == Some(term)
            && committed_own_term
            && durable >= self.leader_commit
    }

    /// Takes out of a message what would count towards a quorum.
    pub(crate) fn soften(message: &mut Message, committed: u64) {
        match message.get_msg_type() {
            MessageType::MsgAppendResponse if !message.reject => message.index = message.index.min(committed),
            MessageType::MsgHeartbeatResponse => message.context.clear(),
            _ => {}
        }
    }

    /// True for a message that a node in doubt does not hear at all.
    pub(crate) fn ignores(message: &Message) -> bool {
        matches!(
            message.get_msg_type(),
            MessageType::MsgRequestVote | MessageType::MsgRequestPreVote | MessageType::MsgTimeoutNow
        )
    }
}
