//! JobService: jobs of clients. Their stages advance inside apply; here they are only started, shown and stopped.

use std::collections::BTreeMap;

use farquorum_core::{Command, Job, JobId, Outcome, State, TaskId};
use farquorum_proto::v1;
use farquorum_proto::v1::job_service_server::JobService;
use tonic::{Request, Response, Status};

use super::request::check_size;
use super::{Api, convert, errors};

/// Longest URL and key, in bytes: S3's longest key and room for the rest.
const TEXT_BYTES_MAX: u64 = 2048;

/// What a reduce task's payload, which names one object of each map task, may have: it goes to a worker in one gRPC
/// message, of 4 MiB at most. More would be granted again and again, and never arrive.
const PAYLOAD_BYTES_MAX: usize = 4_000_000;
/// Such an object without the output that its URL begins with: the rest of the URL, digest, numbers.
const OBJECT_BYTES: usize = 128;

/// Jobs in one list; retention keeps fewer.
const JOBS_MAX: usize = 1000;

#[tonic::async_trait]
impl JobService for Api {
    async fn submit_job(
        &self,
        request: Request<v1::SubmitJobRequest>,
    ) -> Result<Response<v1::SubmitJobResponse>, Status> {
        let deadline = self.0.deadline(request.metadata());
        let spec = request.into_inner().spec.ok_or_else(|| errors::invalid("spec is missing"))?;
        let texts = [
            ("spec.kind", &spec.kind),
            ("spec.output", &spec.output),
            ("spec.idempotency_key", &spec.idempotency_key),
        ];
        let inputs = spec.inputs.iter().map(|input| ("spec.inputs.url", &input.url));
        for (what, text) in texts.into_iter().chain(inputs) {
            check_size(what, text.len(), TEXT_BYTES_MAX, "a fixed limit")?;
        }
        let inputs_max = inputs_max(&spec.output);
        if spec.inputs.len() > inputs_max {
            return Err(errors::invalid(format!(
                "the job has {} inputs; at most {inputs_max} are allowed with this output: make larger splits",
                spec.inputs.len()
            )));
        }
        match self.0.propose(Command::SubmitJob { spec: convert::job_spec_in(spec) }, deadline).await? {
            Outcome::JobSubmitted(id) => Ok(Response::new(v1::SubmitJobResponse { id: id.0 })),
            other => Err(errors::unexpected(&other)),
        }
    }

    async fn get_job(
        &self,
        request: Request<v1::GetJobRequest>,
    ) -> Result<Response<v1::GetJobResponse>, Status> {
        let deadline = self.0.deadline(request.metadata());
        let id = JobId(request.into_inner().id);
        let view = self.0.read(deadline).await?;
        let job = view.state.job(id).ok_or_else(|| errors::not_found(format!("there is no job {id}")))?;
        Ok(Response::new(v1::GetJobResponse { job: Some(shown(job, &active(&view.state))) }))
    }

    async fn list_jobs(
        &self,
        request: Request<v1::ListJobsRequest>,
    ) -> Result<Response<v1::ListJobsResponse>, Status> {
        let view = self.0.read(self.0.deadline(request.metadata())).await?;
        let active = active(&view.state);
        let page = view.state.jobs(JobId(0), JOBS_MAX);
        let jobs = page.items.into_iter().map(|job| shown(job, &active)).collect();
        Ok(Response::new(v1::ListJobsResponse { jobs }))
    }

    async fn cancel_job(
        &self,
        request: Request<v1::CancelJobRequest>,
    ) -> Result<Response<v1::CancelJobResponse>, Status> {
        let deadline = self.0.deadline(request.metadata());
        let command = Command::CancelJob { job: JobId(request.into_inner().id) };
        match self.0.propose(command, deadline).await? {
            Outcome::Job(job) => {
                let job = shown(&job, &active(&self.0.raft.view().state));
                Ok(Response::new(v1::CancelJobResponse { job: Some(job) }))
            }
            other => Err(errors::unexpected(&other)),
        }
    }
}

/// How many inputs a job with this output may have.
fn inputs_max(output: &str) -> usize {
    PAYLOAD_BYTES_MAX / OBJECT_BYTES.saturating_add(output.len())
}

/// Tasks that workers hold now, by job.
type Active = BTreeMap<JobId, Vec<TaskId>>;

fn active(state: &State) -> Active {
    let mut active = Active::new();
    for task in state.workers().flat_map(|worker| state.active_tasks(&worker.id)) {
        if let Some(job) = task.job {
            active.entry(job).or_default().push(task.id);
        }
    }
    active
}

/// A job with the number of tasks of each stage that workers hold.
fn shown(job: &Job, active: &Active) -> v1::Job {
    let held = active.get(&job.id).map(Vec::as_slice).unwrap_or_default();
    let running = job.stages.each_ref().map(|stage| {
        let tasks = stage.first_task..stage.first_task.saturating_add(u64::from(stage.tasks));
        let of_stage = held.iter().filter(|id| tasks.contains(&id.0)).count();
        u32::try_from(of_stage).unwrap_or(u32::MAX)
    });
    convert::job_out(job, running)
}

#[cfg(test)]
mod tests {
    use farquorum_core::work::{Object, Reduce};

    use super::*;

    #[test]
    fn a_reduce_task_of_the_most_inputs_fits_in_one_message() {
        let output = format!("s3://pipeline-data/{}", "o".repeat(60));
        let object = Object {
            url: format!("{output}/_attempts/{}/{}/part-{}", u64::MAX, u64::MAX, u32::MAX),
            length: u64::MAX,
            sha256: vec![255; 32],
            partition: u32::MAX,
        };
        let inputs = vec![object; inputs_max(&output)];
        let reduce = Reduce { partition: u32::MAX, inputs, output };
        let bytes = minicbor::to_vec(&reduce).unwrap().len();
        assert!((3_500_000..4_100_000).contains(&bytes), "{bytes}");
    }
}
