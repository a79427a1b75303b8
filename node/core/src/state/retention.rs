//! Retention (MAN-8): finished tasks and jobs are dropped, oldest first, a bounded number in one entry.

use super::State;
use super::index::Finished;
use crate::command::Outcome;
use crate::ids::Millis;

impl State {
    /// A dropped record takes its idempotency key with it.
    pub(super) fn retain(&mut self, finished_before: Millis, keep_max: u64, drop_max: u64) -> Outcome {
        let mut dropped: u64 = 0;
        while dropped < drop_max {
            let finished = &self.tables.index.finished;
            let over = u64::try_from(finished.len()).unwrap_or(u64::MAX) > keep_max;
            match finished.get_min() {
                Some((at, oldest)) if over || *at < finished_before => {
                    let oldest = *oldest;
                    self.drop_finished(oldest);
                }
                _ => break,
            }
            dropped = dropped.saturating_add(1);
        }
        Outcome::Dropped(dropped)
    }

    fn drop_finished(&mut self, finished: Finished) {
        match finished {
            Finished::Task(id) => self.tables.drop_task(id),
            Finished::Job(id) => self.tables.drop_job(id),
        }
    }
}
