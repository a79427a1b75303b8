//! Task commands. A worker's word counts only with the attempt that it holds now: `current` is the fence.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::State;
use crate::command::{AttemptRef, Outcome};
use crate::error::Rejection;
use crate::ids::{Attempt, JobId, Millis, TaskId, WorkerId};
use crate::task::{Task, TaskSpec, TaskState};

impl State {
    /// All specs are checked before the first task is made. Within one command, too, a repeated key is one task.
    pub(super) fn submit_tasks(&mut self, specs: &[TaskSpec]) -> Result<Outcome, Rejection> {
        let mut next = self.last_task;
        let mut keys: BTreeMap<&str, (TaskId, &TaskSpec)> = BTreeMap::new();
        for (place, spec) in specs.iter().enumerate() {
            if spec.kind.is_empty() {
                return Err(Rejection::Invalid(format!(
                    "task {place} of the request: kind must not be empty"
                )));
            }
            let key = spec.idempotency_key.as_str();
            let known = keys.get(key).copied().or_else(|| self.task_with_key(key));
            match known {
                Some((_, earlier)) if earlier == spec => {}
                Some((id, _)) => {
                    return Err(Rejection::KeyConflict { key: key.to_owned(), what: "task", id: id.0 });
                }
                None => {
                    self.check_worker(place, spec)?;
                    next = next.saturating_add(1);
                    if !key.is_empty() {
                        keys.insert(key, (TaskId(next), spec));
                    }
                }
            }
        }
        let ids = specs.iter().map(|spec| {
            let known = self.task_with_key(&spec.idempotency_key).map(|(id, _)| id);
            known.unwrap_or_else(|| self.insert_task(spec.clone(), None))
        });
        Ok(Outcome::Submitted(ids.collect()))
    }

    /// A task that asks for a worker which nobody knows, or which does not run its kind, would wait for ever.
    fn check_worker(&self, place: usize, spec: &TaskSpec) -> Result<(), Rejection> {
        let Some(only) = &spec.worker else { return Ok(()) };
        let Some(worker) = self.worker(only) else {
            let known = self.workers().map(|worker| worker.id.clone()).collect();
            return Err(Rejection::WorkerNotRegistered { place, worker: only.clone(), known });
        };
        if worker.suits(spec) {
            return Ok(());
        }
        let (kind, runs) = (&spec.kind, worker.kinds.join(", "));
        Err(Rejection::Invalid(format!(
            "task {place} of the request: worker {only} does not run {kind:?}; it runs {runs}"
        )))
    }

    /// Makes a pending task.
    pub(super) fn insert_task(&mut self, spec: TaskSpec, job: Option<JobId>) -> TaskId {
        self.last_task = self.last_task.saturating_add(1);
        let id = TaskId(self.last_task);
        let retries_left = spec.retries;
        let created = self.now;
        self.tables.put_task(Task {
            id,
            spec: Arc::new(spec),
            created,
            retries_left,
            job,
            ..Task::default()
        });
        id
    }

    /// A repeated start is no error: the worker may not have had the answer to the first.
    pub(super) fn start(&mut self, worker: &WorkerId, attempt: AttemptRef) -> Result<Outcome, Rejection> {
        let mut task = self.current(worker, attempt, "start")?;
        if task.state == TaskState::Assigned {
            task.state = TaskState::Running;
            task.started = self.now;
            self.set_task(task.clone());
        }
        Ok(Outcome::Task(Box::new(task)))
    }

    /// A task that is only assigned may complete: the report of its start may be lost.
    pub(super) fn complete(
        &mut self,
        worker: &WorkerId,
        attempt: AttemptRef,
        result: &[u8],
    ) -> Result<Outcome, Rejection> {
        let task = self.current(worker, attempt, "complete")?;
        let report = self.checked_report(&task, result)?;
        let (id, job) = (task.id, task.job);
        self.set_task(Task {
            result: result.to_vec(),
            error: String::new(),
            ..self.ended(task, TaskState::Completed)
        });
        if let (Some(job), Some(report)) = (job, report) {
            self.task_of_job_completed(job, id, &report);
        }
        self.task_outcome(id)
    }

    pub(super) fn fail(
        &mut self,
        worker: &WorkerId,
        attempt: AttemptRef,
        error: &str,
        retryable: bool,
    ) -> Result<Outcome, Rejection> {
        let mut task = self.current(worker, attempt, "fail")?;
        let id = task.id;
        task.error = error.to_owned();
        self.count_failed_attempt(&task);
        if retryable && task.retries_left > 0 {
            task.retries_left = task.retries_left.saturating_sub(1);
            self.set_task(pending_again(task));
        } else {
            let reason = format!("task {id} ({}) failed: {error}", task.spec.kind);
            let job = task.job;
            self.set_task(self.ended(task, TaskState::Failed));
            if let Some(job) = job {
                self.fail_job(job, reason);
            }
        }
        self.task_outcome(id)
    }

    pub(super) fn cancel(&mut self, id: TaskId) -> Result<Outcome, Rejection> {
        let task = self.task(id).ok_or(Rejection::UnknownTask(id))?.clone();
        if task.state.is_terminal() {
            return Err(Rejection::WrongState { task: id, state: task.state, action: "cancel" });
        }
        if let Some(job) = task.job {
            return Err(Rejection::Invalid(format!("task {id} belongs to job {job}: cancel the job")));
        }
        self.set_task(self.ended(task, TaskState::Cancelled));
        self.task_outcome(id)
    }

    /// The fence: the task, when this worker holds this attempt of it now.
    pub(super) fn current(
        &self,
        worker: &WorkerId,
        attempt: AttemptRef,
        action: &'static str,
    ) -> Result<Task, Rejection> {
        let task = self.task(attempt.task).ok_or(Rejection::UnknownTask(attempt.task))?;
        if holds(task, worker, attempt.attempt) {
            return Ok(task.clone());
        }
        if task.state.is_terminal() {
            return Err(Rejection::WrongState { task: task.id, state: task.state, action });
        }
        let holder = task.worker.as_ref().filter(|_| task.state.is_active());
        Err(Rejection::StaleAttempt {
            task: task.id,
            got: attempt.attempt,
            current: if holder.is_some() { task.attempt } else { Attempt::default() },
            worker: holder.map(|holder| holder.as_str().to_owned()).unwrap_or_default(),
        })
    }

    pub(super) fn ended(&self, task: Task, state: TaskState) -> Task {
        Task { state, finished: self.now, lease_until: Millis::default(), ..task }
    }

    fn task_outcome(&self, id: TaskId) -> Result<Outcome, Rejection> {
        let task = self.task(id).ok_or(Rejection::UnknownTask(id))?;
        Ok(Outcome::Task(Box::new(task.clone())))
    }

    fn task_with_key(&self, key: &str) -> Option<(TaskId, &TaskSpec)> {
        let id = self.tables.index.task_keys.get(key)?;
        self.task(*id).map(|task| (*id, task.spec.as_ref()))
    }
}

/// Whether this worker holds this attempt now.
pub(super) fn holds(task: &Task, worker: &WorkerId, attempt: Attempt) -> bool {
    task.state.is_active() && task.attempt == attempt && task.worker.as_ref() == Some(worker)
}

/// The task without its lease; attempt and worker stay as those of the last attempt.
pub(super) fn pending_again(task: Task) -> Task {
    Task { state: TaskState::Pending, lease_until: Millis::default(), ..task }
}
