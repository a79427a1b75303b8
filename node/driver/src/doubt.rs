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
    /// Leaders count from this term on; none: none was heard yet.
    floor: Option<u64>,
    /// The leader that is proven to count on nothing that is not here.
    proven: Option<Proven>,
}

/// A leader never sends what it knows to be here: an append that follows an entry which this log holds shows that it
/// counts on nothing after that entry.
#[derive(Clone, Copy, Debug)]
struct Proven {
    term: u64,
    /// Last index that it may count on. Invariant: in the log, perhaps not on the disk yet.
    counted: u64,
    /// Highest commit index that it told.
    commit: u64,
}

/// How a message from a leader is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Take,
    /// Move to the term after this leader's before taking it, so that the others elect again.
    Outdate,
}

impl Doubt {
    pub(crate) fn new(election_ticks_max: usize) -> Self {
        let wait = u64::try_from(election_ticks_max).unwrap_or(u64::MAX);
        Self { ticks_left: wait.saturating_mul(2), floor: None, proven: None }
    }

    pub(crate) fn tick(&mut self) {
        self.ticks_left = self.ticks_left.saturating_sub(1);
    }

    /// A message from a leader whose term is at least this node's; `last_index` ends the log here, and `follows` says
    /// that the log holds the entry which the message's entries follow.
    pub(crate) fn hear(&mut self, message: &Message, last_index: u64, follows: bool) -> Verdict {
        let beyond = message.get_msg_type() == MessageType::MsgHeartbeat && message.commit > last_index;
        let floor = *self.floor.get_or_insert(message.term.saturating_add(1));
        if message.term < floor || beyond {
            self.floor = Some(floor.max(message.term.saturating_add(1)));
            return Verdict::Outdate;
        }
        let counted = match message.get_msg_type() {
            MessageType::MsgAppend if follows => Some(message.index),
            MessageType::MsgSnapshot => Some(message.get_snapshot().get_metadata().index),
            _ => None,
        };
        if let Some(counted) = counted
            && self.proven.is_none_or(|proven| proven.term != message.term)
        {
            self.proven = Some(Proven { term: message.term, counted, commit: 0 });
        }
        if let Some(proven) = &mut self.proven {
            proven.commit = proven.commit.max(message.commit);
        }
        Verdict::Take
    }

    /// True when everything that the leader of this `term` has committed, and all that it counts on, is durable here:
    /// `committed_own_term` says that this includes an entry of its own term, `committed` and `persisted` are the last
    /// indexes of each.
    pub(crate) fn is_over(
        &self,
        term: u64,
        committed_own_term: bool,
        committed: u64,
        persisted: u64,
    ) -> bool {
        let caught_up = |proven: &Proven| {
            proven.term == term && committed >= proven.commit && persisted >= committed.max(proven.counted)
        };
        self.ticks_left == 0 && committed_own_term && self.proven.as_ref().is_some_and(caught_up)
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
