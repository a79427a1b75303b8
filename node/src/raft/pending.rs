//! Proposals that wait for their entry to be applied, by id. The loop puts them in, the applier answers them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use farquorum_driver::ProposalId;
use tokio::sync::oneshot;

use super::handle::{Applied, RaftError};

/// One that waits.
pub(crate) struct Waiting {
    /// The answer's way back.
    pub(crate) reply: oneshot::Sender<Result<Applied, RaftError>>,
    /// When it came, on the boot-time clock.
    pub(crate) since: Duration,
}

/// Those that wait. Bound: `limits.proposals_max`, so that the memory of a node without a majority stays bounded.
pub(crate) struct Pending {
    waiting: Mutex<HashMap<ProposalId, Waiting>>,
    max: usize,
}

impl Pending {
    pub(super) fn new(max: usize) -> Self {
        Self { waiting: Mutex::default(), max }
    }

    /// Adds one. When it is full, those whose caller has gone make room first; if there are none, this one goes back.
    pub(super) fn insert(&self, id: ProposalId, one: Waiting) -> Result<(), (Waiting, RaftError)> {
        let mut waiting = self.lock();
        if waiting.len() >= self.max {
            waiting.retain(|_, one| !one.reply.is_closed());
        }
        if waiting.len() >= self.max {
            return Err((one, self.refusal(waiting.len())));
        }
        waiting.insert(id, one);
        Ok(())
    }

    /// Why the driver, whose bounds are its own, takes no more. Looks at none of those that wait: a crowd is refused one by one.
    pub(super) fn overloaded(&self) -> RaftError {
        self.refusal(self.lock().len())
    }

    fn refusal(&self, waiting: usize) -> RaftError {
        let number = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        RaftError::Overloaded { waiting: number(waiting), max: number(self.max) }
    }

    /// Takes one out, to answer it.
    pub(super) fn take(&self, id: ProposalId) -> Option<Waiting> {
        self.lock().remove(&id)
    }

    /// Takes those out that these entries answer. `T` is what each is answered with.
    pub(crate) fn take_all<T>(&self, answers: Vec<(ProposalId, T)>) -> Vec<(Waiting, T)> {
        let mut waiting = self.lock();
        answers.into_iter().filter_map(|(id, answer)| Some((waiting.remove(&id)?, answer))).collect()
    }

    /// Forgets those whose caller has gone; also how many stay.
    pub(super) fn sweep(&self) -> usize {
        let mut waiting = self.lock();
        waiting.retain(|_, one| !one.reply.is_closed());
        waiting.len()
    }

    /// Ends all of them: their callers get `Stopping`.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ProposalId, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farquorum_core::{LogIndex, Outcome};

    #[test]
    fn full_means_refused_until_a_caller_leaves_and_answers_go_by_id() {
        let pending = Pending::new(2);
        let mut ids = farquorum_driver::IdSource::new(1, 1);
        let mut add = || {
            let (reply, answer) = oneshot::channel();
            let id = ids.next_id();
            let result = pending.insert(id, Waiting { reply, since: Duration::ZERO });
            (id, answer, result.map_err(|(_, error)| error))
        };
        let (first, mut to_first, _) = add();
        let (second, mut to_second, _) = add();
        let (_, _, refused) = add();
        assert_eq!(refused, Err(RaftError::Overloaded { waiting: 2, max: 2 }));
        let answers = [(second, 2), (first, 1)].map(|(id, index)| (id, LogIndex(index)));
        for (one, index) in pending.take_all(answers.to_vec()) {
            one.reply.send(Ok(Applied { index, outcome: Ok(Outcome::Done) })).unwrap();
        }
        assert_eq!(to_first.try_recv().unwrap().unwrap().index, LogIndex(1));
        assert_eq!(to_second.try_recv().unwrap().unwrap().index, LogIndex(2));
        let (_, gone, _) = add();
        drop(gone);
        let (_, _stays, _) = add();
        let (_, _also, taken) = add();
        assert_eq!(taken, Ok(()), "the caller that left made room");
        assert_eq!(pending.sweep(), 2);
    }
}
