//! TaskService: tasks of clients.

use std::collections::BTreeSet;

use farquorum_core::{Command, JobId, KINDS, Outcome, Task, TaskFilter, TaskId, TaskSpec, WorkerId};
use farquorum_proto::v1;
use farquorum_proto::v1::task_service_server::TaskService;
use tokio::time::Instant;
use tonic::{Request, Response, Status};

use super::request::check_size;
use super::{Api, convert, errors, page};

/// Tasks of one submission: they become one log entry.
const TASKS_MAX: usize = 10_000;

/// Longest kind, cloud, worker and idempotency key, in bytes: names, not contents.
const NAME_BYTES_MAX: u64 = 256;

impl Api {
    fn check_spec(&self, spec: v1::TaskSpec) -> Result<TaskSpec, Status> {
        if spec.kind.is_empty() {
            return Err(errors::invalid("spec.kind is empty"));
        }
        let limits = &self.0.config.limits;
        check_size("spec.payload", spec.payload.len(), limits.payload_bytes_max, "limits.payload_bytes_max")?;
        for (what, name) in [
            ("spec.kind", &spec.kind),
            ("spec.cloud_affinity", &spec.cloud_affinity),
            ("spec.idempotency_key", &spec.idempotency_key),
            ("spec.worker", &spec.worker),
        ] {
            check_size(what, name.len(), NAME_BYTES_MAX, "a fixed limit")?;
        }
        let cloud = &spec.cloud_affinity;
        if !cloud.is_empty() && !self.0.config.clouds.contains_key(cloud) {
            let known: Vec<&str> = self.0.config.clouds.keys().map(String::as_str).collect();
            return Err(errors::invalid(format!(
                "spec.cloud_affinity {cloud:?} is not one of {}",
                known.join(", ")
            )));
        }
        self.check_kind(&spec.kind)?;
        Ok(convert::task_spec_in(spec, self.0.config.tasks.timeout))
    }

    /// A kind that nobody runs would wait for ever. Workers that are not back yet after a start are no reason to refuse
    /// what every worker runs, so those kinds stand firm and the registered workers' are added.
    fn check_kind(&self, kind: &str) -> Result<(), Status> {
        let view = self.0.raft.view();
        let registered = || view.state.workers().flat_map(|worker| worker.kinds.iter().map(String::as_str));
        if KINDS.contains(&kind) || registered().any(|one| one == kind) {
            return Ok(());
        }
        let known: BTreeSet<&str> = KINDS.into_iter().chain(registered()).collect();
        let known: Vec<&str> = known.into_iter().collect();
        Err(errors::invalid(format!("spec.kind {kind:?} is not one of {}", known.join(", "))))
    }

    async fn submit(&self, specs: Vec<TaskSpec>, deadline: Instant) -> Result<Vec<TaskId>, Status> {
        match self.0.propose(Command::SubmitTasks { specs }, deadline).await? {
            Outcome::Submitted(ids) => Ok(ids),
            other => Err(errors::unexpected(&other)),
        }
    }
}

#[tonic::async_trait]
impl TaskService for Api {
    async fn submit_task(
        &self,
        request: Request<v1::SubmitTaskRequest>,
    ) -> Result<Response<v1::SubmitTaskResponse>, Status> {
        let deadline = self.0.deadline(request.metadata());
        let spec = request.into_inner().spec.ok_or_else(|| errors::invalid("spec is missing"))?;
        let ids = self.submit(vec![self.check_spec(spec)?], deadline).await?;
        // Applied here before it was answered. A task that retention dropped meanwhile is answered without content.
        let view = self.0.raft.view();
        let task = ids.first().and_then(|id| view.state.task(*id)).map(convert::task_out);
        Ok(Response::new(v1::SubmitTaskResponse { task }))
    }

    async fn submit_tasks(
        &self,
        request: Request<v1::SubmitTasksRequest>,
    ) -> Result<Response<v1::SubmitTasksResponse>, Status> {
        let deadline = self.0.deadline(request.metadata());
        let specs = request.into_inner().specs;
        if specs.is_empty() || specs.len() > TASKS_MAX {
            return Err(errors::invalid(format!(
                "{} tasks in one request, 1 to {TASKS_MAX} are allowed",
                specs.len()
            )));
        }
        let specs = specs.into_iter().map(|spec| self.check_spec(spec)).collect::<Result<_, _>>()?;
        let ids = self.submit(specs, deadline).await?;
        Ok(Response::new(v1::SubmitTasksResponse { ids: ids.into_iter().map(|id| id.0).collect() }))
    }

    async fn get_task(
        &self,
        request: Request<v1::GetTaskRequest>,
    ) -> Result<Response<v1::GetTaskResponse>, Status> {
        let deadline = self.0.deadline(request.metadata());
        let id = TaskId(request.into_inner().id);
        let view = self.0.read(deadline).await?;
        let task = view.state.task(id).ok_or_else(|| errors::not_found(format!("there is no task {id}")))?;
        Ok(Response::new(v1::GetTaskResponse { task: Some(convert::task_out(task)) }))
    }

    async fn list_tasks(
        &self,
        request: Request<v1::ListTasksRequest>,
    ) -> Result<Response<v1::ListTasksResponse>, Status> {
        let deadline = self.0.deadline(request.metadata());
        let request = request.into_inner();
        let after = TaskId(page::id_in(&request.page_token)?.unwrap_or(0));
        let size = page::size(request.page_size);
        let filter = filter(&request)?;
        let view = self.0.read(deadline).await?;
        let page = view.state.tasks(&filter, after, size);
        let bytes = |task: &&Task| task.spec.payload.len() + task.result.len() + task.error.len();
        let fitting = page::fitting(page.items.iter().map(bytes), self.0.room());
        let shown: Vec<&Task> = page.items.iter().take(fitting).copied().collect();
        let next = if fitting < page.items.len() { shown.last().map(|task| task.id) } else { page.next };
        Ok(Response::new(v1::ListTasksResponse {
            tasks: shown.into_iter().map(convert::task_out).collect(),
            next_page_token: next.map(|id| id.to_string()).unwrap_or_default(),
        }))
    }

    async fn cancel_task(
        &self,
        request: Request<v1::CancelTaskRequest>,
    ) -> Result<Response<v1::CancelTaskResponse>, Status> {
        let deadline = self.0.deadline(request.metadata());
        let command = Command::Cancel { task: TaskId(request.into_inner().id) };
        match self.0.propose(command, deadline).await? {
            Outcome::Task(task) => {
                Ok(Response::new(v1::CancelTaskResponse { task: Some(convert::task_out(&task)) }))
            }
            other => Err(errors::unexpected(&other)),
        }
    }
}

fn filter(request: &v1::ListTasksRequest) -> Result<TaskFilter, Status> {
    Ok(TaskFilter {
        state: convert::task_state_in(request.state).map_err(errors::invalid)?,
        worker: (!request.worker.is_empty()).then(|| WorkerId::new(&request.worker)),
        job: (request.job != 0).then_some(JobId(request.job)),
    })
}
