//! Linearizable reads: one ReadIndex round for all that wait, then wait until the state machine is fresh enough.
//!
//! A round's context is used once in the life of the cluster; an unanswered round is given up, never tried again.

use std::collections::BTreeMap;

use crate::id::{IdSource, RequestId};
use crate::io::{Refusal, Reply};

/// Rounds under way. Each costs a heartbeat to everybody, so a read waits at most a quarter of a round more than if
/// every turn of the loop began one.
const ROUNDS_MAX: usize = 4;

#[derive(Debug)]
struct Round {
    reads: Vec<RequestId>,
    since: u64,
}

/// All reads that wait.
#[derive(Debug)]
pub(crate) struct Reads {
    contexts: IdSource,
    queued: Vec<(RequestId, u64)>,
    rounds: BTreeMap<RequestId, Round>,
    /// By index that has to be applied first.
    confirmed: BTreeMap<u64, Vec<RequestId>>,
    waiting: usize,
    waiting_max: usize,
    timeout_ticks: u64,
    now: u64,
}

impl Reads {
    pub(crate) fn new(contexts: IdSource, waiting_max: usize, timeout_ticks: u64) -> Self {
        Self {
            contexts,
            queued: Vec::new(),
            rounds: BTreeMap::new(),
            confirmed: BTreeMap::new(),
            waiting: 0,
            waiting_max,
            timeout_ticks,
            now: 0,
        }
    }

    pub(crate) fn queue(&mut self, id: RequestId, replies: &mut Vec<Reply>) {
        if self.waiting < self.waiting_max {
            self.waiting = self.waiting.saturating_add(1);
            self.queued.push((id, self.now));
        } else {
            replies.push(Reply::Refused { id, why: Refusal::Overloaded });
        }
    }

    /// Begins a round for everything queued; its context, if there is anything to ask for and a round is free.
    pub(crate) fn begin(&mut self) -> Option<RequestId> {
        if self.queued.is_empty() || self.rounds.len() >= ROUNDS_MAX {
            return None;
        }
        let context = self.contexts.next_id();
        let reads = self.queued.drain(..).map(|(id, _)| id).collect();
        self.rounds.insert(context, Round { reads, since: self.now });
        Some(context)
    }

    /// A round came back: its reads see everything up to `index`.
    pub(crate) fn confirm(&mut self, context: &[u8], index: u64) {
        if let Some(round) = RequestId::from_bytes(context).and_then(|context| self.rounds.remove(&context)) {
            self.confirmed.entry(index).or_default().extend(round.reads);
        }
    }

    /// The state machine holds everything up to `applied`.
    pub(crate) fn applied(&mut self, applied: u64, replies: &mut Vec<Reply>) {
        while let Some(entry) = self.confirmed.first_entry()
            && *entry.key() <= applied
        {
            let (index, reads) = entry.remove_entry();
            self.waiting = self.waiting.saturating_sub(reads.len());
            replies.extend(reads.into_iter().map(|id| Reply::ReadReady { id, index }));
        }
    }

    /// The leader or its term changed: raft-rs has forgotten the rounds.
    pub(crate) fn lose_rounds(&mut self, replies: &mut Vec<Reply>) {
        let lost: Vec<_> =
            std::mem::take(&mut self.rounds).into_values().flat_map(|round| round.reads).collect();
        self.refuse(lost, Refusal::LostLeadership, replies);
    }

    /// Refuses what no round was begun for.
    pub(crate) fn refuse_queued(&mut self, why: Refusal, replies: &mut Vec<Reply>) {
        let queued = self.queued.drain(..).map(|(id, _)| id).collect();
        self.refuse(queued, why, replies);
    }

    /// One tick went by: gives up what waits too long for an answer.
    pub(crate) fn tick(&mut self, replies: &mut Vec<Reply>) {
        self.now = self.now.saturating_add(1);
        let Some(oldest) = self.now.checked_sub(self.timeout_ticks) else { return };
        let late = self.rounds.extract_if(.., |_, round| round.since <= oldest);
        let mut lost: Vec<_> = late.flat_map(|(_, round)| round.reads).collect();
        let queued_late = self.queued.partition_point(|(_, since)| *since <= oldest);
        lost.extend(self.queued.drain(..queued_late).map(|(id, _)| id));
        self.refuse(lost, Refusal::ReadTimeout, replies);
    }

    fn refuse(&mut self, reads: Vec<RequestId>, why: Refusal, replies: &mut Vec<Reply>) {
        self.waiting = self.waiting.saturating_sub(reads.len());
        replies.extend(reads.into_iter().map(|id| Reply::Refused { id, why }));
    }
}
