//! The records, their indexes and their hash. Everything that changes a record goes through `put_*` and `drop_*`
//! here, which keep the three together. No rule of the manifest is known here.

use std::sync::Arc;

use imbl::OrdMap;

use super::index::{Finished, Indexes};
use crate::hash::{Sum, Table};
use crate::ids::{JobId, TaskId, WorkerId};
use crate::job::Job;
use crate::kv::KvEntry;
use crate::task::Task;
use crate::worker::Worker;

/// All records. The maps are persistent: a clone shares every node until one side changes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tables {
    pub(crate) tasks: OrdMap<TaskId, Arc<Task>>,
    pub(crate) workers: OrdMap<WorkerId, Arc<Worker>>,
    pub(crate) jobs: OrdMap<JobId, Arc<Job>>,
    pub(crate) kv: OrdMap<Arc<[u8]>, Arc<KvEntry>>,
    pub(crate) index: Indexes,
    pub(crate) sum: Sum,
}

impl Tables {
    /// Adds a task or replaces the one with this id; returns the one from before. The spec of a task never changes,
    /// so it is hashed once, apart from the rest.
    pub(crate) fn put_task(&mut self, task: Task) -> Option<Arc<Task>> {
        let old = self.tasks.get(&task.id).cloned();
        match &old {
            Some(old) => {
                self.index.unlink_task(old);
                self.sum.subtract(Table::Task, &without_spec(old));
            }
            None => self.sum.add(Table::TaskSpec, &(task.id, task.spec.as_ref())),
        }
        self.sum.add(Table::Task, &without_spec(&task));
        let droppable = !self.job_runs(task.job);
        self.index.link_task(&task, droppable);
        self.tasks.insert(task.id, Arc::new(task));
        old
    }

    pub(crate) fn drop_task(&mut self, id: TaskId) {
        if let Some(task) = self.tasks.remove(&id) {
            self.index.unlink_task(&task);
            self.sum.subtract(Table::TaskSpec, &(task.id, task.spec.as_ref()));
            self.sum.subtract(Table::Task, &without_spec(&task));
        }
    }

    /// Adds or replaces a job. When it ends, its tasks become droppable: all of them must have ended before.
    pub(crate) fn put_job(&mut self, job: Job) {
        match self.jobs.get(&job.id) {
            Some(old) => {
                self.index.unlink_job(old);
                self.sum.subtract(Table::Job, &job_without_spec(old));
            }
            None => self.sum.add(Table::JobSpec, &(job.id, job.spec.as_ref())),
        }
        self.sum.add(Table::Job, &job_without_spec(&job));
        self.index.link_job(&job);
        if job.state.is_terminal() {
            for task in self.job_tasks(job.id).filter(|task| task.state.is_terminal()) {
                self.index.finished.insert((task.finished, Finished::Task(task.id)));
            }
        }
        self.jobs.insert(job.id, Arc::new(job));
    }

    pub(crate) fn drop_job(&mut self, id: JobId) {
        if let Some(job) = self.jobs.remove(&id) {
            self.index.unlink_job(&job);
            self.sum.subtract(Table::JobSpec, &(job.id, job.spec.as_ref()));
            self.sum.subtract(Table::Job, &job_without_spec(&job));
        }
    }

    pub(crate) fn put_worker(&mut self, worker: Worker) {
        self.sum.add(Table::Worker, &worker);
        if let Some(old) = self.workers.insert(worker.id.clone(), Arc::new(worker)) {
            self.sum.subtract(Table::Worker, old.as_ref());
        }
    }

    pub(crate) fn put_kv(&mut self, key: &[u8], entry: KvEntry) {
        self.sum.add(Table::Kv, &(bytes(key), &entry));
        if let Some(old) = self.kv.insert(key.into(), Arc::new(entry)) {
            self.sum.subtract(Table::Kv, &(bytes(key), old.as_ref()));
        }
    }

    /// Whether the key was there.
    pub(crate) fn drop_kv(&mut self, key: &[u8]) -> bool {
        let Some(old) = self.kv.remove(key) else { return false };
        self.sum.subtract(Table::Kv, &(bytes(key), old.as_ref()));
        true
    }

    /// A copy of the list, so that the caller may change the tasks on the way.
    pub(crate) fn job_tasks(&self, job: JobId) -> impl Iterator<Item = Arc<Task>> + use<> {
        let tasks = self.tasks.clone();
        let ids = self.index.by_job.get(&job).cloned().unwrap_or_default();
        ids.into_iter().filter_map(move |id| tasks.get(&id).cloned())
    }

    fn job_runs(&self, job: Option<JobId>) -> bool {
        job.and_then(|id| self.jobs.get(&id)).is_some_and(|job| !job.state.is_terminal())
    }
}

fn without_spec(task: &Task) -> Task {
    Task { spec: Arc::default(), ..task.clone() }
}

fn job_without_spec(job: &Job) -> Job {
    Job { spec: Arc::default(), ..job.clone() }
}

fn bytes(key: &[u8]) -> &minicbor::bytes::ByteSlice {
    key.into()
}
