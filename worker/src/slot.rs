//! One slot: polls for a grant, runs it, reports how it ended.
//!
//! The attempt begins only once the cluster took its start report, which shows that the grant still stands. Its end is
//! reported until the cluster took or refused it; meanwhile heartbeats keep the lease. An attempt that was stopped is
//! not reported: the cluster took it back, or will when the lease ends.

use std::sync::Arc;
use std::time::Duration;

use farquorum_core::{Attempt, AttemptRef, TaskId};
use farquorum_proto::v1::report_task_result_request::Outcome as Wire;
use farquorum_proto::v1::{
    self, PollTaskRequest, ReportTaskResultRequest, TaskCompleted, TaskFailed, TaskStarted,
};

use crate::clock::Clock;
use crate::control::{Control, ControlError};
use crate::executor::{Outcome, execute};
use crate::session::{Backoff, Session, to_wire};
use crate::tasks::{Context, TaskError};

/// How long one poll waits for a grant.
const POLL_WAIT: Duration = Duration::from_secs(20);
/// Longest error text that is reported, in characters.
const ERROR_CHARS_MAX: usize = 4000;

/// Polls and runs, for ever.
pub(crate) async fn serve<C: Control, K: Clock>(session: Arc<Session<C, K>>) {
    let mut pause = Backoff::default();
    while let Some(registration) = session.registered().await {
        let wait_ms = u64::try_from(POLL_WAIT.as_millis()).unwrap_or_default();
        let request = PollTaskRequest { worker_id: session.identity.worker_id.clone(), wait_ms };
        match session.control.poll(request).await {
            Ok(task) => {
                pause = Backoff::default();
                if let Some(task) = task {
                    run(&session, task).await;
                }
            }
            Err(error) => {
                tracing::warn!(worker = session.identity.worker_id, %error, "poll failed");
                if matches!(error, ControlError::Unknown(_)) {
                    session.unregistered(registration);
                }
                pause.wait().await;
            }
        }
    }
}

/// Takes the attempt into the leases while it runs; out of them whatever happens, also when this future is dropped.
async fn run<C: Control, K: Clock>(session: &Session<C, K>, task: v1::Task) {
    let attempt = AttemptRef { task: TaskId(task.id), attempt: Attempt(task.attempt) };
    let stop = session.shutdown.child_token();
    session.leases().take(attempt, session.clock.now(), stop.clone());
    session.metrics.running.inc();
    let _held = Held { session, attempt };

    let spec = task.spec.unwrap_or_default();
    let kind = spec.kind.clone();
    tracing::info!(task = task.id, attempt = task.attempt, kind, "attempt granted");
    let started = stop.run_until_cancelled(report(session, attempt, Wire::Started(TaskStarted {}))).await;
    let outcome = match started {
        Some(Ok(())) => {
            let context = Context { store: session.store.clone(), attempt, stop };
            let timeout = if spec.timeout_ms == 0 {
                session.timeout_default
            } else {
                Duration::from_millis(spec.timeout_ms)
            };
            execute(&session.registry, &kind, context, spec.payload.to_vec(), timeout).await
        }
        Some(Err(_)) | None => Outcome::Stopped,
    };
    let label = settle(session, attempt, outcome).await;
    // The label is one of our own kinds: what a client sent would let it make labels without end.
    let kind = if session.registry.get(&kind).is_ok() { kind.as_str() } else { "unknown" };
    session.metrics.attempts.with_label_values(&[kind, label]).inc();
    tracing::info!(task = task.id, attempt = task.attempt, kind, outcome = label, "attempt ended");
}

/// Reports the end of an attempt; returns its name in the metrics.
async fn settle<C: Control, K: Clock>(
    session: &Session<C, K>,
    attempt: AttemptRef,
    outcome: Outcome,
) -> &'static str {
    let error = match outcome {
        Outcome::Completed(result) => {
            let result = Wire::Completed(TaskCompleted { result: result.into() });
            match report(session, attempt, result).await {
                Ok(()) => return "completed",
                // It would refuse the result of every further attempt as well.
                Err(ControlError::Refused(why)) => TaskError::fatal(format!("its result was refused: {why}")),
                Err(_) => return "late",
            }
        }
        Outcome::Failed(error) => error,
        Outcome::Stopped => return "stopped",
    };
    tracing::warn!(task = %attempt.task, attempt = %attempt.attempt, %error, "attempt failed");
    let retryable = error.retryable;
    let error = error.message.chars().take(ERROR_CHARS_MAX).collect();
    let failed = report(session, attempt, Wire::Failed(TaskFailed { error, retryable })).await;
    if failed.is_ok() { "failed" } else { "late" }
}

/// Reports until the cluster took it, or refused it for good.
async fn report<C: Control, K: Clock>(
    session: &Session<C, K>,
    attempt: AttemptRef,
    outcome: Wire,
) -> Result<(), ControlError> {
    let worker_id = session.identity.worker_id.clone();
    let request =
        ReportTaskResultRequest { worker_id, attempt: Some(to_wire(attempt)), outcome: Some(outcome) };
    let mut pause = Backoff::default();
    loop {
        match session.control.report(request.clone()).await {
            Ok(()) => return Ok(()),
            Err(error @ ControlError::Unavailable(_)) => {
                tracing::warn!(task = %attempt.task, attempt = %attempt.attempt, %error, "not reported, trying again");
                pause.wait().await;
            }
            Err(error) => {
                tracing::warn!(task = %attempt.task, attempt = %attempt.attempt, %error, "report refused");
                return Err(error);
            }
        }
    }
}

/// An attempt in the leases; leaves them when dropped.
struct Held<'a, C: Control, K: Clock> {
    session: &'a Session<C, K>,
    attempt: AttemptRef,
}

impl<C: Control, K: Clock> Drop for Held<'_, C, K> {
    fn drop(&mut self) {
        self.session.leases().release(self.attempt);
        self.session.metrics.running.dec();
    }
}
