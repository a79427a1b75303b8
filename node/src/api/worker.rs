//! WorkerService: the workers' side. Only the leader serves it.

use std::time::Duration;

use farquorum_core::{Command, Outcome, Task, WorkerId};
use farquorum_proto::v1;
use farquorum_proto::v1::report_task_result_request::Outcome as Reported;
use farquorum_proto::v1::worker_service_server::WorkerService;
use tokio::time::Instant;
use tonic::{Request, Response, Status};

use super::request::{check_size, speaks_for};
use super::{Api, convert, errors};

/// Attempts that a worker may run at once, as in the configuration.
const CAPACITY_MAX: u32 = 1024;

/// Task kinds of one worker: far more than there are.
const KINDS_MAX: usize = 64;

/// Longest name, address and kind, in bytes.
const NAME_BYTES_MAX: u64 = 256;

/// Longest error text of an attempt that is kept, in bytes.
const ERROR_BYTES_MAX: usize = 4096;

/// Longest time that a poll may wait.
const POLL_MAX: Duration = Duration::from_secs(60);

impl Api {
    fn lease_ms(&self) -> u64 {
        millis(self.0.config.tasks.lease)
    }

    /// The command of a report; what a worker says is bounded, never trusted.
    fn reported(&self, request: v1::ReportTaskResultRequest) -> Result<Command, Status> {
        let worker = WorkerId::new(&request.worker_id);
        let attempt = request.attempt.as_ref().map(convert::attempt_in);
        let attempt = attempt.ok_or_else(|| errors::invalid("attempt is missing"))?;
        match request.outcome.ok_or_else(|| errors::invalid("outcome is missing"))? {
            Reported::Started(v1::TaskStarted {}) => Ok(Command::Start { worker, attempt }),
            Reported::Completed(v1::TaskCompleted { result }) => {
                let max = self.0.config.limits.payload_bytes_max;
                check_size("the result", result.len(), max, "limits.payload_bytes_max")?;
                Ok(Command::Complete { worker, attempt, result: result.into() })
            }
            Reported::Failed(v1::TaskFailed { mut error, retryable }) => {
                error.truncate(error.floor_char_boundary(ERROR_BYTES_MAX));
                Ok(Command::Fail { worker, attempt, error, retryable })
            }
        }
    }

    /// Waits for a grant; none: there was none in time.
    async fn wait_for_grant(&self, worker: &WorkerId, wait: Duration) -> Result<Option<Task>, Status> {
        let too_many = || errors::invalid(format!("too many polls of worker {worker} wait already"));
        let (poll, granted) = self.0.waiting.add(worker).ok_or_else(too_many)?;
        // Again, now that the poll is there: polls are cleared when this node has stopped to lead.
        self.0.must_lead()?;
        tokio::pin!(granted);
        if let Ok(outcome) = tokio::time::timeout(wait, &mut granted).await {
            return self.granted(outcome.ok());
        }
        if self.0.waiting.withdraw(&poll) {
            return Ok(None);
        }
        // A grant for this poll is on its way through the log: it is waited for, or it would be lost.
        let late = tokio::time::timeout(self.0.config.limits.request_timeout, granted).await;
        self.granted(late.ok().and_then(Result::ok))
    }

    fn granted(&self, task: Option<Task>) -> Result<Option<Task>, Status> {
        match task {
            Some(task) => Ok(Some(task)),
            // Ended without a task: the grant did not stand, or this node leads no more.
            None => self.0.must_lead().map(|()| None),
        }
    }
}

#[tonic::async_trait]
impl WorkerService for Api {
    async fn register_worker(
        &self,
        request: Request<v1::RegisterWorkerRequest>,
    ) -> Result<Response<v1::RegisterWorkerResponse>, Status> {
        let deadline = self.0.deadline(request.metadata());
        speaks_for(&request, &request.get_ref().worker_id)?;
        let command = registration(request.into_inner())?;
        match self.0.propose(command, deadline).await? {
            Outcome::Done => Ok(Response::new(v1::RegisterWorkerResponse {
                heartbeat_interval_ms: millis(self.0.config.tasks.heartbeat),
                lease_ms: self.lease_ms(),
            })),
            other => Err(errors::unexpected(&other)),
        }
    }

    async fn heartbeat(
        &self,
        request: Request<v1::HeartbeatRequest>,
    ) -> Result<Response<v1::HeartbeatResponse>, Status> {
        let deadline = self.0.deadline(request.metadata());
        speaks_for(&request, &request.get_ref().worker_id)?;
        let beat = request.into_inner();
        let attempts_max = usize::try_from(CAPACITY_MAX).unwrap_or(usize::MAX);
        if beat.attempts.len() > attempts_max {
            let got = beat.attempts.len();
            return Err(errors::invalid(format!(
                "{got} attempts in one heartbeat, at most {attempts_max} may run"
            )));
        }
        let command = Command::Heartbeat {
            worker: WorkerId::new(&beat.worker_id),
            cpu_milli: beat.cpu_milli,
            memory_bytes: beat.memory_bytes,
            attempts: beat.attempts.iter().map(convert::attempt_in).collect(),
            lease_ms: self.lease_ms(),
        };
        match self.0.propose(command, deadline).await? {
            Outcome::Lost(lost) => {
                let lost = lost.iter().map(convert::attempt_out).collect();
                Ok(Response::new(v1::HeartbeatResponse { lost }))
            }
            other => Err(errors::unexpected(&other)),
        }
    }

    async fn poll_task(
        &self,
        request: Request<v1::PollTaskRequest>,
    ) -> Result<Response<v1::PollTaskResponse>, Status> {
        let deadline = self.0.deadline(request.metadata());
        // A poll says itself how long it waits; a deadline that the client set still bounds it.
        let has_deadline = request.metadata().contains_key("grpc-timeout");
        speaks_for(&request, &request.get_ref().worker_id)?;
        self.0.must_lead()?;
        let v1::PollTaskRequest { worker_id, wait_ms } = request.into_inner();
        let worker = WorkerId::new(&worker_id);
        if self.0.raft.view().state.worker(&worker).is_none() {
            return Err(errors::rejection(&farquorum_core::Rejection::UnknownWorker(worker)));
        }
        let asked = Duration::from_millis(wait_ms).min(POLL_MAX);
        let left = deadline.saturating_duration_since(Instant::now());
        let wait = if has_deadline { asked.min(left) } else { asked };
        let task = self.wait_for_grant(&worker, wait).await?;
        Ok(Response::new(v1::PollTaskResponse { task: task.as_ref().map(convert::task_out) }))
    }

    async fn report_task_result(
        &self,
        request: Request<v1::ReportTaskResultRequest>,
    ) -> Result<Response<v1::ReportTaskResultResponse>, Status> {
        let deadline = self.0.deadline(request.metadata());
        speaks_for(&request, &request.get_ref().worker_id)?;
        let command = self.reported(request.into_inner())?;
        self.0.propose(command, deadline).await?;
        Ok(Response::new(v1::ReportTaskResultResponse {}))
    }

    async fn deregister_worker(
        &self,
        request: Request<v1::DeregisterWorkerRequest>,
    ) -> Result<Response<v1::DeregisterWorkerResponse>, Status> {
        let deadline = self.0.deadline(request.metadata());
        speaks_for(&request, &request.get_ref().worker_id)?;
        let worker = WorkerId::new(&request.into_inner().worker_id);
        self.0.propose(Command::DeregisterWorker { worker }, deadline).await?;
        Ok(Response::new(v1::DeregisterWorkerResponse {}))
    }

    async fn list_workers(
        &self,
        request: Request<v1::ListWorkersRequest>,
    ) -> Result<Response<v1::ListWorkersResponse>, Status> {
        let view = self.0.read(self.0.deadline(request.metadata())).await?;
        let workers = view.state.workers().map(convert::worker_out).collect();
        Ok(Response::new(v1::ListWorkersResponse { workers }))
    }
}

fn registration(request: v1::RegisterWorkerRequest) -> Result<Command, Status> {
    if request.capacity == 0 || request.capacity > CAPACITY_MAX {
        return Err(errors::invalid(format!(
            "capacity is {}, 1 to {CAPACITY_MAX} are allowed",
            request.capacity
        )));
    }
    if request.kinds.len() > KINDS_MAX {
        return Err(errors::invalid(format!(
            "{} kinds, at most {KINDS_MAX} are allowed",
            request.kinds.len()
        )));
    }
    let texts =
        [("address", &request.address), ("cloud_tag", &request.cloud_tag), ("region", &request.region)];
    let kinds = request.kinds.iter().map(|kind| ("kinds", kind));
    for (what, text) in texts.into_iter().chain(kinds) {
        check_size(what, text.len(), NAME_BYTES_MAX, "a fixed limit")?;
    }
    Ok(Command::RegisterWorker {
        worker: WorkerId::new(&request.worker_id),
        address: request.address,
        cloud: request.cloud_tag,
        region: request.region,
        capacity: request.capacity,
        kinds: request.kinds,
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
