//! Jobs as they are printed.

use farquorum_proto::v1::{Job, JobState, StageProgress};
use serde::Serialize;

use crate::output::{Show, bytes, rows};

/// URLs of parts that a person is shown; `storage list` shows any number.
const PARTS_SHOWN: usize = 10;

/// One job.
#[derive(Serialize)]
pub(crate) struct Row {
    id: u64,
    kind: String,
    state: &'static str,
    stages: Vec<Stage>,
    output: String,
    parts: Vec<String>,
    created_ms: u64,
    finished_ms: u64,
    error: String,
}

#[derive(Serialize)]
struct Stage {
    name: String,
    tasks: u32,
    completed: u32,
    running: u32,
    failed_attempts: u32,
    bytes_in: u64,
    bytes_out: u64,
}

impl From<StageProgress> for Stage {
    fn from(stage: StageProgress) -> Self {
        Self {
            name: stage.name,
            tasks: stage.tasks,
            completed: stage.completed,
            running: stage.running,
            failed_attempts: stage.failed_attempts,
            bytes_in: stage.bytes_in,
            bytes_out: stage.bytes_out,
        }
    }
}

/// Name of a job's state.
pub(crate) fn state_name(state: JobState) -> &'static str {
    match state {
        JobState::Map => "map",
        JobState::Reduce => "reduce",
        JobState::Publish => "publish",
        JobState::Completed => "completed",
        JobState::Failed => "failed",
        JobState::Cancelled => "cancelled",
        JobState::Unspecified => "unknown",
    }
}

impl From<Job> for Row {
    fn from(job: Job) -> Self {
        let state = state_name(job.state());
        let spec = job.spec.unwrap_or_default();
        Self {
            id: job.id,
            kind: spec.kind,
            state,
            stages: job.stages.into_iter().map(Stage::from).collect(),
            output: spec.output,
            parts: job.parts,
            created_ms: job.created_ms,
            finished_ms: job.finished_ms,
            error: job.error,
        }
    }
}

impl Show for Row {
    fn table(&self) -> String {
        let stage = |stage: &Stage| {
            [
                stage.name.clone(),
                format!("{}/{}", stage.completed, stage.tasks),
                stage.failed_attempts.to_string(),
                bytes(stage.bytes_in),
                bytes(stage.bytes_out),
            ]
        };
        let stages =
            rows(["STAGE", "TASKS", "FAILED ATTEMPTS", "READ", "WRITTEN"], self.stages.iter().map(stage));
        let mut text = format!("job {} ({}): {}\n\n{stages}", self.id, self.kind, self.state);
        if !self.error.is_empty() {
            text.push_str(&format!("\n\nerror: {}", self.error));
        }
        if !self.parts.is_empty() {
            text.push_str(&format!("\n\noutput: {} parts below {}", self.parts.len(), self.output));
            let shown = self.parts.iter().take(PARTS_SHOWN).map(|part| format!("\n  {part}"));
            text.push_str(&shown.collect::<String>());
            if self.parts.len() > PARTS_SHOWN {
                text.push_str(&format!("\n  ... (farquorum storage list {})", self.output));
            }
        }
        text
    }
}

/// Several jobs.
#[derive(Serialize)]
pub(crate) struct Rows {
    jobs: Vec<Row>,
}

impl From<Vec<Job>> for Rows {
    fn from(jobs: Vec<Job>) -> Self {
        Self { jobs: jobs.into_iter().map(Row::from).collect() }
    }
}

impl Show for Rows {
    fn table(&self) -> String {
        let row = |job: &Row| {
            let done: u32 = job.stages.iter().map(|stage| stage.completed).sum();
            let all: u32 = job.stages.iter().map(|stage| stage.tasks).sum();
            [
                job.id.to_string(),
                job.kind.clone(),
                job.state.to_owned(),
                format!("{done}/{all}"),
                job.output.clone(),
                job.error.clone(),
            ]
        };
        rows(["JOB", "KIND", "STATE", "TASKS", "OUTPUT", "ERROR"], self.jobs.iter().map(row))
    }
}
