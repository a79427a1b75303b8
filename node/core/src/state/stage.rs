//! Changes of a task that others count: the worker that holds it, the stage of its job.

use super::State;
use crate::ids::{JobId, TaskId};
use crate::job::{Job, Stage};
use crate::task::Task;

impl State {
    /// Replaces a task and keeps `Worker::active` and `Stage::running` true.
    pub(super) fn set_task(&mut self, task: Task) {
        let (id, job) = (task.id, task.job);
        let after = task.worker.clone().filter(|_| task.state.is_active());
        let before = self.tables.put_task(task);
        let before = before.filter(|old| old.state.is_active()).and_then(|old| old.worker.clone());
        if before == after {
            return;
        }
        for (worker, more) in [(&before, false), (&after, true)] {
            let known = worker.as_ref().and_then(|id| self.tables.workers.get(id));
            if let Some(mut worker) = known.map(|worker| worker.as_ref().clone()) {
                worker.active = counted(worker.active, more);
                self.tables.put_worker(worker);
            }
        }
        if let Some(job) = job
            && before.is_some() != after.is_some()
        {
            self.change_stage(job, id, |stage| stage.running = counted(stage.running, after.is_some()));
        }
    }

    /// An attempt failed or lost its lease.
    pub(super) fn count_failed_attempt(&mut self, task: &Task) {
        if let Some(job) = task.job {
            self.change_stage(job, task.id, |stage| {
                stage.failed_attempts = stage.failed_attempts.saturating_add(1);
            });
        }
    }

    pub(super) fn change_stage(&mut self, job: JobId, task: TaskId, change: impl FnOnce(&mut Stage)) {
        let Some(mut job) = self.job(job).cloned() else { return };
        if let Some(stage) = job.stages.iter_mut().find(|stage| place_in(stage, task).is_some()) {
            change(stage);
            self.tables.put_job(job);
        }
    }
}

/// Which task of the stage this is, from 0.
pub(super) fn place_in(stage: &Stage, task: TaskId) -> Option<u32> {
    let place = task.0.checked_sub(stage.first_task).and_then(|place| u32::try_from(place).ok())?;
    (stage.first_task > 0 && place < stage.tasks).then_some(place)
}

/// Number of the job's stage (0 map, 1 reduce, 2 publish) and place of the task in it.
pub(super) fn stage_of(job: &Job, task: TaskId) -> Option<(usize, u32)> {
    let places = job.stages.iter().map(|stage| place_in(stage, task)).enumerate();
    places.into_iter().find_map(|(stage, place)| place.map(|place| (stage, place)))
}

fn counted(count: u32, more: bool) -> u32 {
    if more { count.saturating_add(1) } else { count.saturating_sub(1) }
}
