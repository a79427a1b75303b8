//! Between the domain's types and the wire's. Lengths and names that come in are checked where the limits are known;
//! here only what a type cannot hold is refused.

use std::time::Duration;

use farquorum_core::{
    Attempt, AttemptRef, InputSplit, Job, JobSpec, JobState, LogIndex, Stage, Task, TaskId, TaskSpec,
    TaskState, Worker, WorkerId, WorkerState,
};
use farquorum_proto::v1;

/// Further attempts after a failed one when the client does not say.
const RETRIES: u32 = 3;

/// Names of a job's stages, in order.
const STAGES: [&str; 3] = ["map", "reduce", "publish"];

pub(crate) fn task_spec_in(spec: v1::TaskSpec, default_timeout: Duration) -> TaskSpec {
    let default_ms = u64::try_from(default_timeout.as_millis()).unwrap_or(u64::MAX);
    TaskSpec {
        kind: spec.kind,
        payload: spec.payload.into(),
        cloud_affinity: spec.cloud_affinity,
        priority: spec.priority,
        retries: spec.retries.unwrap_or(RETRIES),
        timeout_ms: if spec.timeout_ms == 0 { default_ms } else { spec.timeout_ms },
        idempotency_key: spec.idempotency_key,
        worker: (!spec.worker.is_empty()).then(|| WorkerId::new(&spec.worker)),
    }
}

fn task_spec_out(spec: &TaskSpec) -> v1::TaskSpec {
    v1::TaskSpec {
        kind: spec.kind.clone(),
        payload: spec.payload.clone().into(),
        cloud_affinity: spec.cloud_affinity.clone(),
        priority: spec.priority,
        retries: Some(spec.retries),
        timeout_ms: spec.timeout_ms,
        idempotency_key: spec.idempotency_key.clone(),
        worker: name(spec.worker.as_ref()),
    }
}

/// An absent name is empty on the wire.
fn name(worker: Option<&WorkerId>) -> String {
    worker.map(ToString::to_string).unwrap_or_default()
}

pub(crate) fn task_out(task: &Task) -> v1::Task {
    v1::Task {
        id: task.id.0,
        spec: Some(task_spec_out(&task.spec)),
        state: task_state_out(task.state).into(),
        attempt: task.attempt.0,
        worker: name(task.worker.as_ref()),
        created_ms: task.created.0,
        assigned_ms: task.assigned.0,
        started_ms: task.started.0,
        finished_ms: task.finished.0,
        result: task.result.clone().into(),
        error: task.error.clone(),
        retries_left: task.retries_left,
        lease_until_ms: task.lease_until.0,
        job: task.job.map_or(0, |job| job.0),
    }
}

fn task_state_out(state: TaskState) -> v1::TaskState {
    match state {
        TaskState::Pending => v1::TaskState::Pending,
        TaskState::Assigned => v1::TaskState::Assigned,
        TaskState::Running => v1::TaskState::Running,
        TaskState::Completed => v1::TaskState::Completed,
        TaskState::Failed => v1::TaskState::Failed,
        TaskState::Cancelled => v1::TaskState::Cancelled,
    }
}

/// The state that a list is restricted to; `Ok(None)`: all.
pub(crate) fn task_state_in(state: i32) -> Result<Option<TaskState>, String> {
    let state = v1::TaskState::try_from(state).map_err(|_| format!("task state {state} is not known"))?;
    Ok(match state {
        v1::TaskState::Unspecified => None,
        v1::TaskState::Pending => Some(TaskState::Pending),
        v1::TaskState::Assigned => Some(TaskState::Assigned),
        v1::TaskState::Running => Some(TaskState::Running),
        v1::TaskState::Completed => Some(TaskState::Completed),
        v1::TaskState::Failed => Some(TaskState::Failed),
        v1::TaskState::Cancelled => Some(TaskState::Cancelled),
    })
}

pub(crate) fn attempt_in(attempt: &v1::AttemptRef) -> AttemptRef {
    AttemptRef { task: TaskId(attempt.task), attempt: Attempt(attempt.attempt) }
}

pub(crate) fn attempt_out(attempt: &AttemptRef) -> v1::AttemptRef {
    v1::AttemptRef { task: attempt.task.0, attempt: attempt.attempt.0 }
}

pub(crate) fn worker_out(worker: &Worker) -> v1::Worker {
    v1::Worker {
        id: worker.id.to_string(),
        address: worker.address.clone(),
        cloud: worker.cloud.clone(),
        region: worker.region.clone(),
        capacity: worker.capacity,
        active_tasks: worker.active,
        state: worker_state_out(worker.state).into(),
        last_seen_ms: worker.last_seen.0,
        cpu_milli: worker.cpu_milli,
        memory_bytes: worker.memory_bytes,
        kinds: worker.kinds.clone(),
    }
}

fn worker_state_out(state: WorkerState) -> v1::WorkerState {
    match state {
        WorkerState::Healthy => v1::WorkerState::Healthy,
        WorkerState::Suspect => v1::WorkerState::Suspect,
        WorkerState::Offline => v1::WorkerState::Offline,
    }
}

pub(crate) fn job_spec_in(spec: v1::JobSpec) -> JobSpec {
    let split = |split: v1::InputSplit| InputSplit {
        url: split.url,
        offset: split.offset,
        length: split.length,
        cloud: split.cloud,
    };
    JobSpec {
        kind: spec.kind,
        inputs: spec.inputs.into_iter().map(split).collect(),
        output: spec.output,
        reducers: spec.reducers,
        idempotency_key: spec.idempotency_key,
    }
}

/// A job; `running` are the tasks of each stage that a worker has at the moment.
pub(crate) fn job_out(job: &Job, running: [u32; 3]) -> v1::Job {
    let split = |split: &InputSplit| v1::InputSplit {
        url: split.url.clone(),
        offset: split.offset,
        length: split.length,
        cloud: split.cloud.clone(),
    };
    let stages = job.stages.iter().zip(STAGES).zip(running);
    v1::Job {
        id: job.id.0,
        spec: Some(v1::JobSpec {
            kind: job.spec.kind.clone(),
            inputs: job.spec.inputs.iter().map(split).collect(),
            output: job.spec.output.clone(),
            reducers: job.spec.reducers,
            idempotency_key: job.spec.idempotency_key.clone(),
        }),
        state: job_state_out(job.state).into(),
        stages: stages.map(|((stage, name), running)| stage_out(stage, name, running)).collect(),
        created_ms: job.created.0,
        finished_ms: job.finished.0,
        error: job.error.clone(),
        parts: job.parts.clone(),
    }
}

fn stage_out(stage: &Stage, name: &str, running: u32) -> v1::StageProgress {
    v1::StageProgress {
        name: name.to_owned(),
        tasks: stage.tasks,
        completed: stage.completed,
        running,
        failed_attempts: stage.failed_attempts,
        bytes_in: stage.bytes_in,
        bytes_out: stage.bytes_out,
    }
}

fn job_state_out(state: JobState) -> v1::JobState {
    match state {
        JobState::Map => v1::JobState::Map,
        JobState::Reduce => v1::JobState::Reduce,
        JobState::Publish => v1::JobState::Publish,
        JobState::Completed => v1::JobState::Completed,
        JobState::Failed => v1::JobState::Failed,
        JobState::Cancelled => v1::JobState::Cancelled,
    }
}

pub(crate) fn key_value(key: &[u8], value: &[u8], revision: LogIndex) -> v1::KeyValue {
    v1::KeyValue { key: key.to_vec().into(), value: value.to_vec().into(), revision: revision.0 }
}
