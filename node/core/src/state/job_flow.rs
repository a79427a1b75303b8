//! From stage to stage: the last completed task of a stage makes the tasks of the next one in the same entry, so
//! nobody ever sees a job between two stages.

use super::State;
use crate::codec;
use crate::ids::{JobId, TaskId};
use crate::job::{InputSplit, Job, JobSpec, JobState, Stage, work};
use crate::task::{Task, TaskSpec};

/// Further attempts of a job's task after a failed one; ended leases do not count.
const TASK_RETRIES: u32 = 3;
/// Longest run of one attempt at a job's task.
const TASK_TIMEOUT_MS: u64 = 600_000;

impl State {
    /// Counts a completed task and, when it was the last of its stage, moves the job on.
    pub(super) fn task_of_job_completed(&mut self, id: JobId, task: TaskId, report: &work::Report) {
        self.change_stage(id, task, |stage| {
            stage.completed = stage.completed.saturating_add(1);
            stage.bytes_in = stage.bytes_in.saturating_add(report.bytes_in);
            stage.bytes_out = stage.bytes_out.saturating_add(report.bytes_out);
        });
        let Some(job) = self.job(id).cloned() else { return };
        let [map, reduce, publish] = &job.stages;
        match job.state {
            JobState::Map if is_over(map) => {
                let reduces = self.reports(map).map(|reports| reduce_tasks(&job.spec, reports));
                self.begin_or_fail(job, JobState::Reduce, reduces);
            }
            JobState::Reduce if is_over(reduce) => {
                let publishing = self.reports(reduce).map(|reports| vec![publish_task(&job.spec, reports)]);
                self.begin_or_fail(job, JobState::Publish, publishing);
            }
            JobState::Publish if is_over(publish) => self.end_job(id, |job| {
                job.state = JobState::Completed;
                job.parts = urls(report);
            }),
            _ => {}
        }
    }

    /// Makes the tasks of a stage, their ids without a gap.
    pub(super) fn begin_stage(&mut self, mut job: Job, state: JobState, specs: Vec<TaskSpec>) {
        let id = job.id;
        let [map, reduce, publish] = &mut job.stages;
        let stage = match state {
            JobState::Map => map,
            JobState::Reduce => reduce,
            _ => publish,
        };
        let tasks = u32::try_from(specs.len()).unwrap_or(u32::MAX);
        *stage = Stage { first_task: self.last_task.saturating_add(1), tasks, ..Stage::default() };
        job.state = state;
        self.tables.put_job(job);
        for spec in specs {
            self.insert_task(spec, Some(id));
        }
    }

    fn begin_or_fail(&mut self, job: Job, state: JobState, specs: Result<Vec<TaskSpec>, String>) {
        match specs {
            Ok(specs) => self.begin_stage(job, state, specs),
            Err(why) => self.fail_job(job.id, why),
        }
    }

    /// The reports of a stage in order of its tasks. They were checked when they came in, so an error means that a
    /// stored result was damaged; the job fails rather than lose a part of its output.
    fn reports(&self, stage: &Stage) -> Result<Vec<work::Report>, String> {
        let ids = (stage.first_task..).take(usize::try_from(stage.tasks).unwrap_or(usize::MAX)).map(TaskId);
        let report = |id| {
            let task: &Task = self.task(id).ok_or_else(|| format!("task {id} is missing"))?;
            minicbor::decode(&task.result).map_err(|error| format!("result of task {id}: {error}"))
        };
        ids.map(report).collect()
    }
}

/// One split; it prefers the cloud where its input is.
pub(super) fn map_task(spec: &JobSpec, input: &InputSplit) -> TaskSpec {
    let (reducers, output) = (spec.reducers, spec.output.clone());
    let payload = codec::encode(&work::Map { input: input.clone(), reducers, output });
    TaskSpec { cloud_affinity: input.cloud.clone(), ..task_spec(format!("{}-map", spec.kind), payload) }
}

/// One task for each partition, the empty ones too: each part of the output exists.
fn reduce_tasks(spec: &JobSpec, reports: Vec<work::Report>) -> Vec<TaskSpec> {
    let output = || spec.output.clone();
    let mut reduces: Vec<work::Reduce> = (0..spec.reducers)
        .map(|partition| work::Reduce { partition, inputs: Vec::new(), output: output() })
        .collect();
    for object in reports.into_iter().flat_map(|report| report.objects) {
        let reduce = usize::try_from(object.partition).ok().and_then(|partition| reduces.get_mut(partition));
        if let Some(reduce) = reduce {
            reduce.inputs.push(object);
        }
    }
    let kind = format!("{}-reduce", spec.kind);
    reduces.iter().map(|reduce| task_spec(kind.clone(), codec::encode(reduce))).collect()
}

fn publish_task(spec: &JobSpec, reports: Vec<work::Report>) -> TaskSpec {
    let parts = reports.into_iter().flat_map(|report| report.objects).collect();
    let payload = codec::encode(&work::Publish { parts, output: spec.output.clone() });
    task_spec("publish".to_owned(), payload)
}

fn task_spec(kind: String, payload: Vec<u8>) -> TaskSpec {
    TaskSpec { kind, payload, retries: TASK_RETRIES, timeout_ms: TASK_TIMEOUT_MS, ..TaskSpec::default() }
}

fn urls(report: &work::Report) -> Vec<String> {
    let mut objects: Vec<_> = report.objects.iter().collect();
    objects.sort_by_key(|object| object.partition);
    objects.into_iter().map(|object| object.url.clone()).collect()
}

fn is_over(stage: &Stage) -> bool {
    stage.completed == stage.tasks
}
