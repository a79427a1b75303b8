//! Grants tasks to waiting polls (WRK-3): on every change of the state and every new poll, at once.
//!
//! Proposals are pipelined: a grant that is on its way is counted as if it stood, by applying it to a copy of the
//! state (a copy costs O(1)). So no task is proposed twice, and no worker gets more than it has room for.

use std::collections::BTreeMap;

use farquorum_core::{
    Command, Grant, LogIndex, Outcome, Proposal, State, Task, TaskId, Waiting as Idle, WorkerId,
};
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::oneshot;

use super::leader::Chores;

/// Grants in one entry: one entry stays small, and a busy leader still makes some ten thousand grants a second.
const BATCH_MAX: usize = 256;

/// Entries on their way: beyond a few round trips' worth more of them only wait.
const BATCHES_MAX: usize = 64;

/// Grants on their way and the polls that wait for them.
type Claimed = Vec<(Grant, oneshot::Sender<Task>)>;

/// Runs while this node leads.
pub(super) async fn run(chores: &Chores) {
    let mut applied = chores.raft.watch_applied();
    let mut in_flight: BTreeMap<u64, Vec<Grant>> = BTreeMap::new();
    let mut proposals = FuturesUnordered::new();
    let mut next = 0;
    loop {
        applied.mark_unchanged();
        if in_flight.len() < BATCHES_MAX
            && let Some(claimed) = claim(chores, in_flight.values().flatten())
        {
            in_flight.insert(next, claimed.iter().map(|(grant, _)| grant.clone()).collect());
            proposals.push(propose(chores, next, claimed));
            next += 1;
            // There may be more than one batch.
            continue;
        }
        tokio::select! {
            Some(done) = proposals.next() => {
                in_flight.remove(&done);
            }
            changed = applied.changed() => if changed.is_err() { return },
            () = chores.waiting.changed() => {}
        }
    }
}

/// The next grants, each with the poll that it answers; none when there is nothing to grant.
fn claim<'a>(chores: &Chores, in_flight: impl Iterator<Item = &'a Grant>) -> Option<Claimed> {
    let view = chores.raft.view();
    if view.state.pending_count() == 0 {
        return None;
    }
    let waiting = chores.waiting.counts();
    if waiting.is_empty() {
        return None;
    }
    let grants = decide(&view.state, in_flight.cloned().collect(), waiting);
    let claimed =
        grants.into_iter().filter_map(|grant| chores.waiting.claim(&grant.worker).map(|poll| (grant, poll)));
    Some(claimed.collect::<Claimed>()).filter(|claimed| !claimed.is_empty())
}

/// The grants to make when those in flight are counted as made.
fn decide(state: &State, in_flight: Vec<Grant>, waiting: BTreeMap<WorkerId, u32>) -> Vec<Grant> {
    let idle: Vec<Idle> = waiting.into_iter().map(|(worker, slots)| Idle { worker, slots }).collect();
    if in_flight.is_empty() {
        return farquorum_core::grants(state, &idle, BATCH_MAX);
    }
    let mut ahead = state.clone();
    let assign = Command::Assign { grants: in_flight, lease_ms: 1 };
    let proposal = Proposal { now: state.now(), command: assign };
    // A refusal leaves the copy as it is: the worst is a grant that apply leaves out.
    let _ = ahead.apply(LogIndex(state.applied().0.saturating_add(1)), &proposal);
    farquorum_core::grants(&ahead, &idle, BATCH_MAX)
}

/// Proposes one batch and hands the tasks to their polls; answers the batch's number.
async fn propose(chores: &Chores, number: u64, claimed: Claimed) -> u64 {
    let grants = claimed.iter().map(|(grant, _)| grant.clone()).collect();
    let mut polls: BTreeMap<TaskId, oneshot::Sender<Task>> =
        claimed.into_iter().map(|(grant, poll)| (grant.task, poll)).collect();
    let outcome = chores.propose(Command::Assign { grants, lease_ms: chores.lease_ms() }).await;
    // Polls that are left over end without a task when they are dropped, and their workers ask again.
    if let Some(Outcome::Assigned(tasks)) = outcome {
        for task in tasks {
            deliver(&mut polls, task);
        }
    }
    number
}

fn deliver(polls: &mut BTreeMap<TaskId, oneshot::Sender<Task>>, task: Task) {
    let Some(poll) = polls.remove(&task.id) else { return };
    if let Err(task) = poll.send(task) {
        let worker = task.worker.as_ref().map(ToString::to_string).unwrap_or_default();
        let (task, attempt) = (task.id.0, task.attempt.0);
        tracing::info!(task, attempt, worker, "the poll for a grant went away; its lease will end it");
    }
}

#[cfg(test)]
mod tests {
    use farquorum_core::{Millis, TaskSpec};

    use super::*;

    /// Two tasks of a kind and a worker that runs it, with this capacity.
    fn state(capacity: u32) -> State {
        let kind = "command".to_owned();
        let spec = TaskSpec { kind: kind.clone(), timeout_ms: 1000, ..TaskSpec::default() };
        let register = Command::RegisterWorker {
            worker: WorkerId::new("w"),
            address: "127.0.0.1:1".into(),
            cloud: "aws".into(),
            region: String::new(),
            capacity,
            kinds: vec![kind],
        };
        let mut state = State::new();
        for (index, command) in
            [register, Command::SubmitTasks { specs: vec![spec.clone(), spec] }].into_iter().enumerate()
        {
            let index = LogIndex(u64::try_from(index).unwrap() + 1);
            state.apply(index, &Proposal { now: Millis(1), command }).unwrap();
        }
        state
    }

    fn granted(state: &State, in_flight: &[u64], slots: u32) -> Vec<u64> {
        let worker = WorkerId::new("w");
        let in_flight =
            in_flight.iter().map(|id| Grant { task: TaskId(*id), worker: worker.clone() }).collect();
        let grants = decide(state, in_flight, BTreeMap::from([(worker, slots)]));
        grants.iter().map(|grant| grant.task.0).collect()
    }

    #[test]
    fn a_grant_in_flight_is_counted_as_made() {
        for (capacity, in_flight, slots, expected) in [
            (4, vec![], 2, vec![1, 2]),
            (4, vec![], 1, vec![1]),
            (4, vec![1], 2, vec![2]),
            (4, vec![1, 2], 2, vec![]),
            (1, vec![1], 2, vec![]),
            (1, vec![], 2, vec![1]),
        ] {
            let case = format!("capacity {capacity}, in flight {in_flight:?}, slots {slots}");
            assert_eq!(granted(&state(capacity), &in_flight, slots), expected, "{case}");
        }
    }
}
