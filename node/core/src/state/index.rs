//! Indexes over the records. All of them follow from the records alone: `link` and `unlink` are the only writers, so
//! an index cannot disagree with a record for longer than one replacement.

use std::cmp::Reverse;

use imbl::{OrdMap, OrdSet};

use crate::ids::{JobId, Millis, TaskId, WorkerId};
use crate::job::Job;
use crate::task::{Task, TaskState};

/// One key, many values, both in order. Invariant: no key with an empty set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Multi<K: Ord + Clone, V: Ord + Clone>(OrdMap<K, OrdSet<V>>);

impl<K: Ord + Clone, V: Ord + Clone> Default for Multi<K, V> {
    fn default() -> Self {
        Self(OrdMap::new())
    }
}

impl<K: Ord + Clone, V: Ord + Clone> Multi<K, V> {
    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&OrdSet<V>>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.get(key)
    }

    pub(crate) fn count(&self, key: &K) -> usize {
        self.0.get(key).map_or(0, OrdSet::len)
    }

    fn insert(&mut self, key: &K, value: V) {
        if let Some(set) = self.0.get_mut(key) {
            set.insert(value);
        } else {
            self.0.insert(key.clone(), OrdSet::unit(value));
        }
    }

    fn remove(&mut self, key: &K, value: &V) {
        if let Some(set) = self.0.get_mut(key) {
            set.remove(value);
            if set.is_empty() {
                self.0.remove(key);
            }
        }
    }
}

/// A finished record. Invariant: a task sorts before a job that finished in the same millisecond, so retention never
/// drops a job before its tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Finished {
    Task(TaskId),
    Job(JobId),
}

/// Pending tasks of which a worker can run either all or none: those of one kind that ask for the same worker, or for
/// none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lane {
    pub(crate) kind: String,
    pub(crate) worker: Option<WorkerId>,
}

/// Place of a pending task in its lane: higher priority first, then the older.
pub(crate) type Place = (Reverse<i32>, TaskId);

/// All indexes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Indexes {
    /// Pending tasks by lane, so that tasks which nobody can run now are in nobody's way.
    pub(crate) pending: Multi<Lane, Place>,
    pub(crate) by_state: Multi<TaskState, TaskId>,
    /// Tasks whose current or last attempt was this worker's.
    pub(crate) by_worker: Multi<WorkerId, TaskId>,
    /// Tasks that a worker holds now.
    pub(crate) active: Multi<WorkerId, TaskId>,
    pub(crate) by_job: Multi<JobId, TaskId>,
    /// Active tasks by the end of their leases.
    pub(crate) leases: OrdSet<(Millis, TaskId)>,
    /// What retention may drop, oldest first. A task of a running job is not in it.
    pub(crate) finished: OrdSet<(Millis, Finished)>,
    pub(crate) task_keys: OrdMap<String, TaskId>,
    pub(crate) job_keys: OrdMap<String, JobId>,
}

impl Indexes {
    /// `droppable`: the task belongs to no running job.
    pub(crate) fn link_task(&mut self, task: &Task, droppable: bool) {
        self.by_state.insert(&task.state, task.id);
        if task.state == TaskState::Pending {
            self.pending.insert(&lane(task), place(task));
        }
        if let Some(worker) = &task.worker {
            self.by_worker.insert(worker, task.id);
            if task.state.is_active() {
                self.active.insert(worker, task.id);
            }
        }
        if task.state.is_active() {
            self.leases.insert((task.lease_until, task.id));
        }
        if let Some(job) = &task.job {
            self.by_job.insert(job, task.id);
        }
        if droppable && task.state.is_terminal() {
            self.finished.insert((task.finished, Finished::Task(task.id)));
        }
        if !task.spec.idempotency_key.is_empty() {
            self.task_keys.insert(task.spec.idempotency_key.clone(), task.id);
        }
    }

    pub(crate) fn unlink_task(&mut self, task: &Task) {
        self.by_state.remove(&task.state, &task.id);
        if task.state == TaskState::Pending {
            self.pending.remove(&lane(task), &place(task));
        }
        if let Some(worker) = &task.worker {
            self.by_worker.remove(worker, &task.id);
            self.active.remove(worker, &task.id);
        }
        self.leases.remove(&(task.lease_until, task.id));
        if let Some(job) = &task.job {
            self.by_job.remove(job, &task.id);
        }
        self.finished.remove(&(task.finished, Finished::Task(task.id)));
        if !task.spec.idempotency_key.is_empty() {
            self.task_keys.remove(&task.spec.idempotency_key);
        }
    }

    pub(crate) fn link_job(&mut self, job: &Job) {
        if job.state.is_terminal() {
            self.finished.insert((job.finished, Finished::Job(job.id)));
        }
        if !job.spec.idempotency_key.is_empty() {
            self.job_keys.insert(job.spec.idempotency_key.clone(), job.id);
        }
    }

    pub(crate) fn unlink_job(&mut self, job: &Job) {
        self.finished.remove(&(job.finished, Finished::Job(job.id)));
        if !job.spec.idempotency_key.is_empty() {
            self.job_keys.remove(&job.spec.idempotency_key);
        }
    }
}

fn lane(task: &Task) -> Lane {
    Lane { kind: task.spec.kind.clone(), worker: task.spec.worker.clone() }
}

fn place(task: &Task) -> Place {
    (Reverse(task.spec.priority), task.id)
}
