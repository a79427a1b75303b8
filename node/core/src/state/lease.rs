//! Leases: granted, renewed, ended. A lease ends only by an entry of the log that names the attempt; the clock of a
//! node decides nothing here.

use super::State;
use super::apply_task::{holds, pending_again};
use crate::command::{AttemptRef, Grant, Outcome};
use crate::error::Rejection;
use crate::ids::{Attempt, Millis, TaskId, WorkerId};
use crate::task::{Task, TaskState};
use crate::worker::WorkerState;

impl State {
    pub(super) fn assign(&mut self, grants: &[Grant], lease_ms: u64) -> Result<Outcome, Rejection> {
        let lease_until = self.lease_end(lease_ms)?;
        let mut assigned = Vec::new();
        for grant in grants {
            let Some(task) = self.grantable(grant) else { continue };
            let task = Task {
                state: TaskState::Assigned,
                attempt: Attempt(self.applied.0),
                worker: Some(grant.worker.clone()),
                assigned: self.now,
                started: Millis::default(),
                lease_until,
                ..task.clone()
            };
            self.set_task(task.clone());
            assigned.push(task);
        }
        Ok(Outcome::Assigned(assigned))
    }

    pub(super) fn expire(&mut self, attempts: &[AttemptRef]) -> Outcome {
        for attempt in attempts {
            let Some(task) = self.task(attempt.task).cloned() else { continue };
            let over = task.state.is_active() && task.lease_until <= self.now;
            if over && task.attempt == attempt.attempt {
                self.take_back(task, "the lease ended");
            }
        }
        Outcome::Done
    }

    pub(super) fn extend_leases(&mut self, lease_ms: u64) -> Result<Outcome, Rejection> {
        let until = self.lease_end(lease_ms)?;
        let shorter: Vec<TaskId> =
            self.tables.index.leases.range(..(until, TaskId(0))).map(|(_, id)| *id).collect();
        for id in shorter {
            if let Some(task) = self.task(id).cloned() {
                self.set_task(Task { lease_until: until, ..task });
            }
        }
        Ok(Outcome::Done)
    }

    /// Renews what the worker holds; returns the attempts that are not its own any more.
    pub(super) fn renew(
        &mut self,
        worker: &WorkerId,
        attempts: &[AttemptRef],
        until: Millis,
    ) -> Vec<AttemptRef> {
        let mut lost = Vec::new();
        for attempt in attempts {
            let held = self.task(attempt.task).filter(|task| holds(task, worker, attempt.attempt)).cloned();
            match held {
                Some(task) if task.lease_until < until => self.set_task(Task { lease_until: until, ..task }),
                Some(_) => {}
                None => lost.push(*attempt),
            }
        }
        lost
    }

    /// An active task goes back to pending through no fault of its own: no retry is used up.
    pub(super) fn take_back(&mut self, mut task: Task, why: &str) {
        self.count_failed_attempt(&task);
        let worker = task.worker.as_ref().map(WorkerId::as_str).unwrap_or_default();
        task.error = format!("attempt {} on worker {worker}: {why}", task.attempt);
        self.set_task(pending_again(task));
    }

    /// The end of a lease that begins now.
    pub(super) fn lease_end(&self, lease_ms: u64) -> Result<Millis, Rejection> {
        if lease_ms == 0 {
            return Err(Rejection::Invalid("lease_ms is 0; at least 1 is needed".to_owned()));
        }
        Ok(Millis(self.now.0.saturating_add(lease_ms)))
    }

    fn grantable(&self, grant: &Grant) -> Option<&Task> {
        let task = self.task(grant.task).filter(|task| task.state == TaskState::Pending)?;
        let worker = self.worker(&grant.worker)?;
        let fit = worker.state != WorkerState::Offline
            && worker.active < worker.capacity
            && worker.suits(&task.spec);
        fit.then_some(task)
    }
}
