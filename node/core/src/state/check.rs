//! The invariants of the state, checked from scratch; for tests and debug builds, since it visits every record.

use super::{State, Tables};
use crate::ids::{Attempt, Millis};
use crate::job::Job;
use crate::task::Task;

impl State {
    /// Compares indexes, hash and counters with what the records alone say.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn check_invariants(&self) -> Result<(), String> {
        let rebuilt = self.rebuilt();
        if rebuilt.index != self.tables.index {
            return Err(format!("indexes are {:?}, the records say {:?}", self.tables.index, rebuilt.index));
        }
        if rebuilt.sum != self.tables.sum {
            return Err("the hash is not that of the records".to_owned());
        }
        self.tables.tasks.values().try_for_each(|task| self.check_task(task))?;
        self.tables.jobs.values().try_for_each(|job| self.check_job(job))?;
        for worker in self.tables.workers.values() {
            let held = self.active_tasks(&worker.id).count();
            if usize::try_from(worker.active) != Ok(held) {
                return Err(format!("worker {} has active {}, holds {held}", worker.id, worker.active));
            }
        }
        Ok(())
    }

    fn rebuilt(&self) -> Tables {
        let mut tables = Tables::default();
        self.tables.jobs.values().for_each(|job| tables.put_job(job.as_ref().clone()));
        self.tables.workers.values().for_each(|worker| tables.put_worker(worker.as_ref().clone()));
        for task in self.tables.tasks.values() {
            tables.put_task(task.as_ref().clone());
        }
        self.tables.kv.iter().for_each(|(key, entry)| tables.put_kv(key, entry.as_ref().clone()));
        tables
    }

    fn check_task(&self, task: &Task) -> Result<(), String> {
        let holds = [
            ("attempt set exactly with worker", (task.attempt != Attempt(0)) == task.worker.is_some()),
            ("lease exactly while active", (task.lease_until != Millis(0)) == task.state.is_active()),
            ("active only with a worker", !task.state.is_active() || task.worker.is_some()),
            ("finished only when terminal", task.finished == Millis(0) || task.state.is_terminal()),
            ("id was given out", task.id.0 >= 1 && task.id.0 <= self.last_task),
            ("retries only shrink", task.retries_left <= task.spec.retries),
        ];
        match holds.iter().find(|(_, holds)| !holds) {
            Some((what, _)) => Err(format!("task {}: {what}: {task:?}", task.id)),
            None => Ok(()),
        }
    }

    fn check_job(&self, job: &Job) -> Result<(), String> {
        let open = self.tables.job_tasks(job.id).filter(|task| !task.state.is_terminal()).count();
        let running: u32 = job.stages.iter().map(|stage| stage.running).sum();
        let active = self.tables.job_tasks(job.id).filter(|task| task.state.is_active()).count();
        if job.state.is_terminal() != (open == 0) {
            return Err(format!("job {} is {} with {open} open tasks", job.id, job.state));
        }
        if usize::try_from(running) != Ok(active) {
            return Err(format!("job {} counts {running} running tasks, has {active}", job.id));
        }
        Ok(())
    }
}
