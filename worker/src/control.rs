//! The control plane as a worker sees it: five calls, and four ways for them to fail.
//!
//! A trait, so that the session can be tested against a control plane that forgets, refuses and hangs on purpose. The
//! real one is [`Cluster`], which finds and follows the leader.

use std::future::Future;
use std::time::Duration;

use farquorum_client::wire::Reason;
use farquorum_client::{ClientError, Cluster};
use farquorum_proto::v1::{
    HeartbeatRequest, HeartbeatResponse, PollTaskRequest, RegisterWorkerRequest, RegisterWorkerResponse,
    ReportTaskResultRequest, Task,
};

/// Why a call was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ControlError {
    /// The cluster does not know this worker (or task): register first.
    #[error("unknown to the cluster: {0}")]
    Unknown(String),
    /// The attempt is not the task's current one, or the task is over.
    #[error("too late: {0}")]
    Stale(String),
    /// The cluster will never do this.
    #[error("refused: {0}")]
    Refused(String),
    /// Nobody did it in time; it may work later.
    #[error("not available: {0}")]
    Unavailable(String),
}

/// What a worker asks of the control plane.
pub(crate) trait Control: Clone + Send + Sync + 'static {
    /// Registers the worker.
    fn register(
        &self,
        request: RegisterWorkerRequest,
    ) -> impl Future<Output = Result<RegisterWorkerResponse, ControlError>> + Send;
    /// Renews the worker and its attempts; of no use after `deadline`.
    fn heartbeat(
        &self,
        request: HeartbeatRequest,
        deadline: Duration,
    ) -> impl Future<Output = Result<HeartbeatResponse, ControlError>> + Send;
    /// Waits for a grant.
    fn poll(
        &self,
        request: PollTaskRequest,
    ) -> impl Future<Output = Result<Option<Task>, ControlError>> + Send;
    /// Reports on an attempt.
    fn report(
        &self,
        request: ReportTaskResultRequest,
    ) -> impl Future<Output = Result<(), ControlError>> + Send;
    /// Takes the worker out.
    fn deregister(&self, worker_id: String) -> impl Future<Output = Result<(), ControlError>> + Send;
}

impl Control for Cluster {
    async fn register(&self, request: RegisterWorkerRequest) -> Result<RegisterWorkerResponse, ControlError> {
        Ok(self.workers().register(request).await?)
    }

    async fn heartbeat(
        &self,
        request: HeartbeatRequest,
        deadline: Duration,
    ) -> Result<HeartbeatResponse, ControlError> {
        Ok(self.workers().heartbeat(request, deadline).await?)
    }

    async fn poll(&self, request: PollTaskRequest) -> Result<Option<Task>, ControlError> {
        Ok(self.workers().poll(request).await?.task)
    }

    async fn report(&self, request: ReportTaskResultRequest) -> Result<(), ControlError> {
        self.workers().report(request).await?;
        Ok(())
    }

    async fn deregister(&self, worker_id: String) -> Result<(), ControlError> {
        self.workers().deregister(worker_id).await?;
        Ok(())
    }
}

impl From<ClientError> for ControlError {
    fn from(error: ClientError) -> Self {
        let text = error.to_string();
        match error {
            ClientError::NotFound { .. } => Self::Unknown(text),
            ClientError::Refused { reason: Reason::StaleAttempt | Reason::Rejected, .. } => Self::Stale(text),
            ClientError::Refused { .. } | ClientError::Invalid { .. } => Self::Refused(text),
            _ => Self::Unavailable(text),
        }
    }
}
