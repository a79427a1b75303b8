//! The workers' side. Everything may be sent again: registrations and heartbeats say the same twice, results are fenced
//! by their attempt, and a grant whose answer was lost comes back when its lease ends.

use std::time::Duration;

use farquorum_proto::v1::worker_service_client::WorkerServiceClient;
use farquorum_proto::v1::{
    DeregisterWorkerRequest, DeregisterWorkerResponse, HeartbeatRequest, HeartbeatResponse,
    ListWorkersRequest, ListWorkersResponse, PollTaskRequest, PollTaskResponse, RegisterWorkerRequest,
    RegisterWorkerResponse, ReportTaskResultRequest, ReportTaskResultResponse,
};

use super::send;
use crate::cluster::{Call, Cluster};
use crate::error::ClientError;

/// Time for a poll beyond its wait: the way there and back, and finding the leader.
const POLL_GRACE: Duration = Duration::from_secs(5);

/// The workers' side. All errors are [`ClientError`]s.
#[derive(Clone, Copy)]
pub struct Workers<'a>(pub(super) &'a Cluster);

impl Workers<'_> {
    /// Registers a worker.
    pub async fn register(
        &self,
        message: RegisterWorkerRequest,
    ) -> Result<RegisterWorkerResponse, ClientError> {
        send!(self.0, Call::idempotent("register worker"), WorkerServiceClient, register_worker, message)
    }

    /// Renews a worker and its leases; not longer than `deadline`, since a late heartbeat is of no use.
    pub async fn heartbeat(
        &self,
        message: HeartbeatRequest,
        deadline: Duration,
    ) -> Result<HeartbeatResponse, ClientError> {
        let call = Call::idempotent("heartbeat").deadline(deadline);
        send!(self.0, call, WorkerServiceClient, heartbeat, message)
    }

    /// Waits for a grant, up to the message's `wait_ms`.
    pub async fn poll(&self, message: PollTaskRequest) -> Result<PollTaskResponse, ClientError> {
        let deadline = Duration::from_millis(message.wait_ms).saturating_add(POLL_GRACE);
        let call = Call::idempotent("poll task").deadline(deadline).patient();
        send!(self.0, call, WorkerServiceClient, poll_task, message)
    }

    /// Reports on an attempt. When an answer was lost, the repeated report of a finished attempt may be refused.
    pub async fn report(
        &self,
        message: ReportTaskResultRequest,
    ) -> Result<ReportTaskResultResponse, ClientError> {
        send!(self.0, Call::idempotent("report task"), WorkerServiceClient, report_task_result, message)
    }

    /// Takes a worker out.
    pub async fn deregister(&self, worker_id: String) -> Result<DeregisterWorkerResponse, ClientError> {
        let message = DeregisterWorkerRequest { worker_id };
        send!(self.0, Call::idempotent("deregister worker"), WorkerServiceClient, deregister_worker, message)
    }

    /// Lists workers.
    pub async fn list(&self) -> Result<ListWorkersResponse, ClientError> {
        send!(
            self.0,
            Call::idempotent("worker list"),
            WorkerServiceClient,
            list_workers,
            ListWorkersRequest {}
        )
    }
}
