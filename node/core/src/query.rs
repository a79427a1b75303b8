//! Reads of the state (MAN-4). All borrow, none changes anything; what each costs is said beside it (n: records).

use std::ops::Bound::{Excluded, Unbounded};

use crate::command::AttemptRef;
use crate::ids::{JobId, Millis, TaskId, WorkerId};
use crate::job::Job;
use crate::kv::KvEntry;
use crate::state::State;
use crate::task::{Task, TaskState};
use crate::worker::{Worker, WorkerState};

/// Entries of an index that one page may look at. With two filters most of them may not fit, so a page may come back
/// short, even empty, with `next` set.
const SCAN_MAX: usize = 10_000;

/// Which tasks; all fields that are set must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Only in this state.
    pub state: Option<TaskState>,
    /// Only those whose current or last attempt was this worker's.
    pub worker: Option<WorkerId>,
    /// Only of this job.
    pub job: Option<JobId>,
}

impl TaskFilter {
    fn fits(&self, task: &Task) -> bool {
        self.state.is_none_or(|state| task.state == state)
            && (self.worker.is_none() || task.worker == self.worker)
            && (self.job.is_none() || task.job == self.job)
    }
}

/// Some of the items, in order of their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, K> {
    /// The items.
    pub items: Vec<T>,
    /// Pass it as `after` to go on; `None` on the last page.
    pub next: Option<K>,
}

/// Numbers for a status line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tasks that wait for a worker.
    pub pending: usize,
    /// Granted, not yet started.
    pub assigned: usize,
    /// Started.
    pub running: usize,
    /// Done, not yet dropped by retention.
    pub completed: usize,
    /// Failed, not yet dropped by retention.
    pub failed: usize,
    /// Cancelled, not yet dropped by retention.
    pub cancelled: usize,
    /// Workers in any state.
    pub workers: usize,
    /// Jobs in any state, not yet dropped by retention.
    pub jobs: usize,
    /// Keys of the key-value store.
    pub keys: usize,
}

impl State {
    /// The task. O(log n).
    pub fn task(&self, id: TaskId) -> Option<&Task> {
        self.tables.tasks.get(&id).map(AsRef::as_ref)
    }

    /// Tasks with an id above `after` (0: from the first), at most `limit`. O(page), see `SCAN_MAX`.
    pub fn tasks(&self, filter: &TaskFilter, after: TaskId, limit: usize) -> Page<&Task, TaskId> {
        let index = &self.tables.index;
        let ids = match filter {
            TaskFilter { job: Some(job), .. } => index.by_job.get(job),
            TaskFilter { worker: Some(worker), .. } => index.by_worker.get(worker),
            TaskFilter { state: Some(state), .. } => index.by_state.get(state),
            TaskFilter { .. } => {
                let tasks =
                    self.tables.tasks.range((Excluded(after), Unbounded)).map(|(_, task)| task.as_ref());
                return page(tasks, |task| filter.fits(task), |task| task.id, limit);
            }
        };
        let ids = ids.into_iter().flat_map(|ids| ids.range((Excluded(after), Unbounded)));
        page(ids.filter_map(|id| self.task(*id)), |task| filter.fits(task), |task| task.id, limit)
    }

    /// Tasks that the worker holds now, in order of id. O(log n + result).
    pub fn active_tasks(&self, worker: &WorkerId) -> impl Iterator<Item = &Task> {
        self.tables.index.active.get(worker).into_iter().flatten().filter_map(|id| self.task(*id))
    }

    /// Attempts whose leases ended at `now` or before, oldest first, at most `max`. O(log n + result).
    pub fn expired_leases(&self, now: Millis, max: usize) -> Vec<AttemptRef> {
        let ended = self.tables.index.leases.range(..=(now, TaskId(u64::MAX)));
        let tasks = ended.filter_map(|(_, id)| self.task(*id)).take(max);
        tasks.map(|task| AttemptRef { task: task.id, attempt: task.attempt }).collect()
    }

    /// When the next lease ends. O(log n).
    pub fn next_lease_end(&self) -> Option<Millis> {
        self.tables.index.leases.get_min().map(|(until, _)| *until)
    }

    /// Tasks that wait for a worker. O(log n).
    pub fn pending_count(&self) -> usize {
        self.task_count(TaskState::Pending)
    }

    /// Tasks in this state. O(log n).
    pub fn task_count(&self, state: TaskState) -> usize {
        self.tables.index.by_state.count(&state)
    }

    /// The worker. O(log n).
    pub fn worker(&self, id: &WorkerId) -> Option<&Worker> {
        self.tables.workers.get(id).map(AsRef::as_ref)
    }

    /// All workers in order of their ids.
    pub fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.tables.workers.values().map(AsRef::as_ref)
    }

    /// The healthy worker with room that uses the smallest share of its capacity; with a kind, only one that runs it.
    /// On a tie the first by id. O(workers).
    pub fn least_loaded(&self, kind: Option<&str>) -> Option<&Worker> {
        let fit = |worker: &&Worker| {
            worker.state == WorkerState::Healthy
                && worker.active < worker.capacity
                && kind.is_none_or(|kind| worker.kinds.iter().any(|runs| runs == kind))
        };
        let product = |a: u32, b: u32| u64::from(a).saturating_mul(u64::from(b));
        self.workers()
            .filter(fit)
            .min_by(|a, b| product(a.active, b.capacity).cmp(&product(b.active, a.capacity)))
    }

    /// Workers, not offline, that were last heard of `silence_ms` before `now` or earlier. O(workers).
    pub fn stale_workers(&self, now: Millis, silence_ms: u64) -> impl Iterator<Item = &Worker> {
        self.workers().filter(move |worker| {
            worker.state != WorkerState::Offline && worker.last_seen.0.saturating_add(silence_ms) <= now.0
        })
    }

    /// The job. O(log n).
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.tables.jobs.get(&id).map(AsRef::as_ref)
    }

    /// Jobs with an id above `after` (0: from the first), at most `limit`. O(page).
    pub fn jobs(&self, after: JobId, limit: usize) -> Page<&Job, JobId> {
        let jobs = self.tables.jobs.range((Excluded(after), Unbounded)).map(|(_, job)| job.as_ref());
        page(jobs, |_| true, |job| job.id, limit)
    }

    /// What the key holds. O(log n).
    pub fn kv_get(&self, key: &[u8]) -> Option<&KvEntry> {
        self.tables.kv.get(key).map(AsRef::as_ref)
    }

    /// Keys that begin with `prefix`, above `after` when that is set, in byte order, at most `limit`. O(page).
    pub fn kv_list(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Page<(&[u8], &KvEntry), Vec<u8>> {
        let from = match after {
            Some(after) if after >= prefix => Excluded(after),
            _ => std::ops::Bound::Included(prefix),
        };
        let entries = self.tables.kv.range::<_, [u8]>((from, Unbounded));
        let entries = entries.map(|(key, entry)| (key.as_ref(), entry.as_ref()));
        let entries = entries.take_while(|(key, _): &(&[u8], &KvEntry)| key.starts_with(prefix));
        page(entries, |_| true, |(key, _)| key.to_vec(), limit)
    }

    /// All counts at once. O(log n).
    pub fn counts(&self) -> Counts {
        Counts {
            pending: self.task_count(TaskState::Pending),
            assigned: self.task_count(TaskState::Assigned),
            running: self.task_count(TaskState::Running),
            completed: self.task_count(TaskState::Completed),
            failed: self.task_count(TaskState::Failed),
            cancelled: self.task_count(TaskState::Cancelled),
            workers: self.tables.workers.len(),
            jobs: self.tables.jobs.len(),
            keys: self.tables.kv.len(),
        }
    }
}

/// Takes items that fit until the page is full or `SCAN_MAX` were looked at.
fn page<T, K>(
    items: impl Iterator<Item = T>,
    fits: impl Fn(&T) -> bool,
    key: impl Fn(&T) -> K,
    limit: usize,
) -> Page<T, K> {
    let mut items = items.peekable();
    let mut page = Page { items: Vec::new(), next: None };
    for _ in 0..SCAN_MAX {
        if page.items.len() >= limit {
            break;
        }
        let Some(item) = items.next() else { return Page { next: None, ..page } };
        page.next = Some(key(&item));
        if fits(&item) {
            page.items.push(item);
        }
    }
    if items.peek().is_none() {
        page.next = None;
    }
    page
}
