//! Tasks. A submit is sent again only when every task in it has an idempotency key.

use farquorum_proto::v1::task_service_client::TaskServiceClient;
use farquorum_proto::v1::{
    CancelTaskRequest, CancelTaskResponse, GetTaskRequest, GetTaskResponse, ListTasksRequest,
    ListTasksResponse, SubmitTaskRequest, SubmitTaskResponse, SubmitTasksRequest, SubmitTasksResponse,
    TaskSpec,
};

use super::send;
use crate::cluster::{Call, Cluster};
use crate::error::ClientError;

/// Tasks. All errors are [`ClientError`]s.
#[derive(Clone, Copy)]
pub struct Tasks<'a>(pub(super) &'a Cluster);

impl Tasks<'_> {
    /// Submits one task.
    pub async fn submit(&self, spec: TaskSpec) -> Result<SubmitTaskResponse, ClientError> {
        let call = submit_call(std::slice::from_ref(&spec));
        send!(self.0, call, TaskServiceClient, submit_task, SubmitTaskRequest { spec: Some(spec) })
    }

    /// Submits many tasks, all or none.
    pub async fn submit_many(&self, specs: Vec<TaskSpec>) -> Result<SubmitTasksResponse, ClientError> {
        send!(self.0, submit_call(&specs), TaskServiceClient, submit_tasks, SubmitTasksRequest { specs })
    }

    /// Reads a task.
    pub async fn get(&self, id: u64) -> Result<GetTaskResponse, ClientError> {
        send!(self.0, Call::idempotent("task get"), TaskServiceClient, get_task, GetTaskRequest { id })
    }

    /// Lists tasks, a page at a time.
    pub async fn list(&self, message: ListTasksRequest) -> Result<ListTasksResponse, ClientError> {
        send!(self.0, Call::idempotent("task list"), TaskServiceClient, list_tasks, message)
    }

    /// Cancels a task. Not sent again: the second time it is refused, since the task is over.
    pub async fn cancel(&self, id: u64) -> Result<CancelTaskResponse, ClientError> {
        send!(self.0, Call::once("task cancel"), TaskServiceClient, cancel_task, CancelTaskRequest { id })
    }
}

fn submit_call(specs: &[TaskSpec]) -> Call {
    match specs.iter().all(|spec| !spec.idempotency_key.is_empty()) {
        true => Call::idempotent("task submit"),
        false => Call::once("task submit"),
    }
}
