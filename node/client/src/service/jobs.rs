//! Jobs. A submit is sent again only with an idempotency key.

use farquorum_proto::v1::job_service_client::JobServiceClient;
use farquorum_proto::v1::{
    CancelJobRequest, CancelJobResponse, GetJobRequest, GetJobResponse, JobSpec, ListJobsRequest,
    ListJobsResponse, SubmitJobRequest, SubmitJobResponse,
};

use super::send;
use crate::cluster::{Call, Cluster};
use crate::error::ClientError;

/// Jobs. All errors are [`ClientError`]s.
#[derive(Clone, Copy)]
pub struct Jobs<'a>(pub(super) &'a Cluster);

impl Jobs<'_> {
    /// Submits a job.
    pub async fn submit(&self, spec: JobSpec) -> Result<SubmitJobResponse, ClientError> {
        let call = match spec.idempotency_key.is_empty() {
            true => Call::once("job submit"),
            false => Call::idempotent("job submit"),
        };
        send!(self.0, call, JobServiceClient, submit_job, SubmitJobRequest { spec: Some(spec) })
    }

    /// Reads a job.
    pub async fn get(&self, id: u64) -> Result<GetJobResponse, ClientError> {
        send!(self.0, Call::idempotent("job get"), JobServiceClient, get_job, GetJobRequest { id })
    }

    /// Lists jobs.
    pub async fn list(&self) -> Result<ListJobsResponse, ClientError> {
        send!(self.0, Call::idempotent("job list"), JobServiceClient, list_jobs, ListJobsRequest {})
    }

    /// Cancels a job. Not sent again: the second time it is refused, since the job is over.
    pub async fn cancel(&self, id: u64) -> Result<CancelJobResponse, ClientError> {
        send!(self.0, Call::once("job cancel"), JobServiceClient, cancel_job, CancelJobRequest { id })
    }
}
