//! Jobs (JOB-1): submitted, cancelled, failed. How a job moves from stage to stage is in `job_flow`.

use std::sync::Arc;

use super::State;
use super::job_flow::map_task;
use crate::command::Outcome;
use crate::error::Rejection;
use crate::ids::JobId;
use crate::job::{Job, JobSpec, JobState};
use crate::task::TaskState;

/// Kinds of jobs.
const KINDS: [&str; 1] = ["wordcount"];
/// Map tasks of one job: they are made in one entry, a few microseconds each.
const INPUTS_MAX: usize = 100_000;
/// Reduce tasks of one job.
const REDUCERS_MAX: u32 = 1000;
/// Map tasks times reducers: each pair may be one object (about 150 bytes) in the payload of a reduce task.
const OBJECTS_MAX: usize = 1_000_000;

impl State {
    pub(super) fn submit_job(&mut self, spec: &JobSpec) -> Result<Outcome, Rejection> {
        check_spec(spec).map_err(Rejection::Invalid)?;
        let known = self.tables.index.job_keys.get(&spec.idempotency_key).and_then(|id| self.job(*id));
        if let Some(known) = known {
            if known.spec.as_ref() == spec {
                return Ok(Outcome::JobSubmitted(known.id));
            }
            let (key, id) = (spec.idempotency_key.clone(), known.id.0);
            return Err(Rejection::KeyConflict { key, what: "job", id });
        }
        self.last_job = self.last_job.saturating_add(1);
        let id = JobId(self.last_job);
        let job = Job { id, spec: Arc::new(spec.clone()), created: self.now, ..Job::default() };
        let maps = spec.inputs.iter().map(|input| map_task(spec, input)).collect();
        self.begin_stage(job, JobState::Map, maps);
        Ok(Outcome::JobSubmitted(id))
    }

    pub(super) fn cancel_job(&mut self, id: JobId) -> Result<Outcome, Rejection> {
        let job = self.job(id).ok_or(Rejection::UnknownJob(id))?;
        if job.state.is_terminal() {
            return Err(Rejection::JobOver(id));
        }
        self.end_job(id, |job| job.state = JobState::Cancelled);
        let job = self.job(id).ok_or(Rejection::UnknownJob(id))?;
        Ok(Outcome::Job(Box::new(job.clone())))
    }

    pub(super) fn fail_job(&mut self, id: JobId, error: String) {
        self.end_job(id, |job| {
            job.state = JobState::Failed;
            job.error = error;
        });
    }

    /// Ends a job: first its open tasks are cancelled, then `last` says how it ended.
    pub(super) fn end_job(&mut self, id: JobId, last: impl FnOnce(&mut Job)) {
        for task in self.tables.job_tasks(id).filter(|task| !task.state.is_terminal()) {
            self.set_task(self.ended(task.as_ref().clone(), TaskState::Cancelled));
        }
        let Some(mut job) = self.job(id).cloned() else { return };
        job.finished = self.now;
        last(&mut job);
        self.tables.put_job(job);
    }
}

fn check_spec(spec: &JobSpec) -> Result<(), String> {
    let JobSpec { kind, inputs, output, reducers, .. } = spec;
    if !KINDS.contains(&kind.as_str()) {
        return Err(format!("there is no job kind {kind:?}; allowed: {}", KINDS.join(", ")));
    }
    if inputs.is_empty() || inputs.len() > INPUTS_MAX {
        return Err(format!("the job has {} inputs; allowed: 1 to {INPUTS_MAX}", inputs.len()));
    }
    if *reducers == 0 || *reducers > REDUCERS_MAX {
        return Err(format!("the job has {reducers} reducers; allowed: 1 to {REDUCERS_MAX}"));
    }
    let objects =
        usize::try_from(*reducers).map_or(usize::MAX, |reducers| inputs.len().saturating_mul(reducers));
    if objects > OBJECTS_MAX {
        return Err(format!("inputs times reducers is {objects}; allowed: up to {OBJECTS_MAX}"));
    }
    if !output.contains("://") {
        return Err(format!("output {output:?} is no URL; an example: s3://bucket/prefix"));
    }
    match inputs.iter().enumerate().find(|(_, input)| !input.url.contains("://")) {
        Some((place, input)) => {
            Err(format!("input {place}: {:?} is no URL; an example: s3://bucket/key", input.url))
        }
        None => Ok(()),
    }
}
