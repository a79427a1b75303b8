//! The polls that wait for a grant, at the leader.
//!
//! A poll is claimed when a grant for its worker is proposed, and then waits for the outcome, also beyond its own
//! time: a grant is not decided for a poll that is about to go away. When its client went away all the same, the
//! grant stands in the log without anybody knowing, and its lease ends it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use farquorum_core::{Task, WorkerId};
use tokio::sync::{Notify, oneshot};

/// Polls of one worker that may wait at once: the largest capacity that a worker may have. More than one per free
/// slot is of no use.
const POLLS_PER_WORKER: usize = 1024;

/// Polls that may wait in all; each is a request that a client keeps open.
const POLLS_MAX: usize = 65_536;

/// All waiting polls.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    polls: Mutex<Polls>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Polls {
    next: u64,
    count: usize,
    by_worker: BTreeMap<WorkerId, VecDeque<Poll>>,
}

#[derive(Debug)]
struct Poll {
    id: u64,
    grant: oneshot::Sender<Task>,
}

/// Names a waiting poll.
#[derive(Clone, Debug)]
pub(crate) struct PollId {
    worker: WorkerId,
    id: u64,
}

impl Waiting {
    /// Adds a poll; none: too many wait.
    pub(crate) fn add(&self, worker: &WorkerId) -> Option<(PollId, oneshot::Receiver<Task>)> {
        let (grant, granted) = oneshot::channel();
        let mut polls = self.lock();
        let full = polls.count >= POLLS_MAX;
        let id = polls.next;
        let of_worker = polls.by_worker.entry(worker.clone()).or_default();
        if full || of_worker.len() >= POLLS_PER_WORKER {
            return None;
        }
        of_worker.push_back(Poll { id, grant });
        polls.next += 1;
        polls.count += 1;
        drop(polls);
        self.changed.notify_one();
        Some((PollId { worker: worker.clone(), id }, granted))
    }

    /// Takes a poll back whose time is over; false: it was claimed, and its outcome is on its way.
    pub(crate) fn withdraw(&self, poll: &PollId) -> bool {
        self.lock().remove(&poll.worker, |waiting| waiting.id == poll.id) > 0
    }

    /// How many polls wait, by worker. Polls whose client went away are dropped.
    pub(crate) fn counts(&self) -> BTreeMap<WorkerId, u32> {
        let mut polls = self.lock();
        let workers: Vec<WorkerId> = polls.by_worker.keys().cloned().collect();
        for worker in &workers {
            polls.remove(worker, |waiting| waiting.grant.is_closed());
        }
        let count = |of_worker: &VecDeque<Poll>| u32::try_from(of_worker.len()).unwrap_or(u32::MAX);
        polls.by_worker.iter().map(|(worker, of_worker)| (worker.clone(), count(of_worker))).collect()
    }

    /// Claims the worker's oldest poll for a grant that is about to be proposed. Dropping the sender ends the poll
    /// without a task.
    pub(crate) fn claim(&self, worker: &WorkerId) -> Option<oneshot::Sender<Task>> {
        let mut polls = self.lock();
        let of_worker = polls.by_worker.get_mut(worker)?;
        let poll = of_worker.pop_front()?;
        if of_worker.is_empty() {
            polls.by_worker.remove(worker);
        }
        polls.count -= 1;
        Some(poll.grant)
    }

    /// Ends all polls without a task: this node does not lead any more.
    pub(crate) fn clear(&self) {
        let mut polls = self.lock();
        polls.by_worker.clear();
        polls.count = 0;
    }

    /// Waits until a poll was added since the last call.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Polls> {
        // A panic elsewhere cannot leave the queues half changed.
        self.polls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Polls {
    fn remove(&mut self, worker: &WorkerId, which: impl Fn(&Poll) -> bool) -> usize {
        let Some(of_worker) = self.by_worker.get_mut(worker) else { return 0 };
        let before = of_worker.len();
        of_worker.retain(|poll| !which(poll));
        let removed = before - of_worker.len();
        if of_worker.is_empty() {
            self.by_worker.remove(worker);
        }
        self.count -= removed;
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(name: &str) -> WorkerId {
        WorkerId::new(name)
    }

    #[tokio::test]
    async fn the_oldest_poll_gets_the_grant() {
        let waiting = Waiting::default();
        let (_, first) = waiting.add(&worker("a")).unwrap();
        let (_, _second) = waiting.add(&worker("a")).unwrap();
        assert_eq!(waiting.counts(), BTreeMap::from([(worker("a"), 2)]));
        waiting.claim(&worker("a")).unwrap().send(Task::default()).unwrap();
        assert_eq!(first.await, Ok(Task::default()));
        assert_eq!(waiting.counts(), BTreeMap::from([(worker("a"), 1)]));
        assert!(waiting.claim(&worker("b")).is_none());
    }

    #[tokio::test]
    async fn a_claimed_poll_is_not_withdrawn() {
        let waiting = Waiting::default();
        let (poll, granted) = waiting.add(&worker("a")).unwrap();
        let grant = waiting.claim(&worker("a")).unwrap();
        assert!(!waiting.withdraw(&poll));
        drop(grant);
        assert!(granted.await.is_err(), "a grant that did not stand ends the poll");
        let (poll, _granted) = waiting.add(&worker("a")).unwrap();
        assert!(waiting.withdraw(&poll) && waiting.counts().is_empty());
    }

    #[test]
    fn a_poll_without_a_client_gets_no_grant() {
        let waiting = Waiting::default();
        drop(waiting.add(&worker("a")).unwrap());
        assert!(waiting.counts().is_empty());
        assert!(waiting.claim(&worker("a")).is_none());
    }

    #[test]
    fn waiting_polls_are_bounded() {
        let waiting = Waiting::default();
        let kept: Vec<_> = (0..POLLS_PER_WORKER).map(|_| waiting.add(&worker("a")).unwrap()).collect();
        assert!(waiting.add(&worker("a")).is_none());
        assert!(waiting.add(&worker("b")).is_some());
        drop(kept);
        waiting.clear();
        assert!(waiting.counts().is_empty() && waiting.add(&worker("a")).is_some());
    }
}
