//! What a job's task reports, checked before anything is taken over from it.

use std::collections::BTreeSet;

use super::State;
use super::stage::stage_of;
use crate::error::Rejection;
use crate::job::{Job, work};
use crate::task::Task;

/// Bytes of a SHA-256 digest.
const SHA256_BYTES: usize = 32;

impl State {
    /// The report inside the result of a job's task; `None` for a task without a job, whose result is the client's own.
    pub(super) fn checked_report(
        &self,
        task: &Task,
        result: &[u8],
    ) -> Result<Option<work::Report>, Rejection> {
        let Some(id) = task.job else { return Ok(None) };
        let job = self.job(id).ok_or(Rejection::UnknownJob(id))?;
        let report: work::Report = minicbor::decode(result)
            .map_err(|error| invalid(task, &format!("the result is no report: {error}")))?;
        check_objects(&report, job.spec.reducers).map_err(|why| invalid(task, &why))?;
        check_stage(&report, job, task).map_err(|why| invalid(task, &why))?;
        Ok(Some(report))
    }
}

fn check_objects(report: &work::Report, reducers: u32) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for object in &report.objects {
        let partition = object.partition;
        if partition >= reducers {
            return Err(format!("partition {partition} is not below the {reducers} of the job"));
        }
        if !seen.insert(partition) {
            return Err(format!("partition {partition} has more than one object"));
        }
        if object.sha256.len() != SHA256_BYTES {
            let got = object.sha256.len();
            return Err(format!("sha256 of partition {partition} has {got} bytes, not {SHA256_BYTES}"));
        }
    }
    Ok(())
}

/// A reduce task writes exactly its own partition: the publish task is told one object for each.
fn check_stage(report: &work::Report, job: &Job, task: &Task) -> Result<(), String> {
    match stage_of(job, task.id) {
        Some((1, own)) => match report.objects.as_slice() {
            [object] if object.partition == own => Ok(()),
            objects => {
                Err(format!("partition {own} needs exactly one object of its own, got {}", objects.len()))
            }
        },
        Some((2, _)) if report.objects.is_empty() => Err("nothing was published".to_owned()),
        Some(_) => Ok(()),
        None => Err("the task is in no stage of its job".to_owned()),
    }
}

fn invalid(task: &Task, why: &str) -> Rejection {
    Rejection::Invalid(format!("result of task {} ({}): {why}", task.id, task.spec.kind))
}
