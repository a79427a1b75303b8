//! The storage check from a worker: a task that only this worker may run. The task's result is the report itself.
//!
//! A task that did not run in time is cancelled, also when the user interrupts: a worker that comes back must find
//! nothing that nobody waits for.

use std::time::Duration;

use farquorum_client::ClientError;
use farquorum_proto::v1::{self, TaskSpec, TaskState, WorkerState};
use farquorum_worker::tasks::StorageCheckPayload;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::cluster::Connection;
use super::storage::Outcome;
use super::task::until_over;

/// Asks one worker and waits until it has answered, `wait` is over, or `stop` says so.
pub(super) async fn check_from(
    connection: &Connection,
    worker: &v1::Worker,
    wait: Duration,
    stop: &CancellationToken,
) -> Outcome {
    if worker.state() == WorkerState::Offline {
        return Outcome::Offline;
    }
    let asked = ask(connection, &worker.id, wait, stop).await;
    asked.unwrap_or_else(|error| Outcome::Failed(error.to_string()))
}

async fn ask(
    connection: &Connection,
    worker: &str,
    wait: Duration,
    stop: &CancellationToken,
) -> Result<Outcome, ClientError> {
    let task = connection.cluster.tasks().submit(spec(worker, wait)).await?.task.unwrap_or_default();
    let id = task.id;
    match timeout(wait, stop.run_until_cancelled(until_over(connection, task))).await {
        Ok(Some(over)) => Ok(outcome(&over?)),
        Ok(None) | Err(_) => give_up(connection, id, wait).await,
    }
}

fn spec(worker: &str, wait: Duration) -> TaskSpec {
    TaskSpec {
        kind: "storage-check".to_owned(),
        payload: serde_json::to_vec(&StorageCheckPayload {}).unwrap_or_default().into(),
        worker: worker.to_owned(),
        // What fails is to be seen, not to be repeated.
        retries: Some(0),
        timeout_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1),
        // So that the submit may be sent again when the leader moves.
        idempotency_key: format!("storage-check/{worker}/{:016x}", rand::random::<u64>()),
        ..TaskSpec::default()
    }
}

fn outcome(task: &v1::Task) -> Outcome {
    match task.state() {
        TaskState::Completed => match serde_json::from_slice(&task.result) {
            Ok(report) => Outcome::Checked(report),
            Err(error) => Outcome::Failed(format!("task {} gave no report: {error}", task.id)),
        },
        TaskState::Cancelled => Outcome::Failed(format!("somebody cancelled task {}", task.id)),
        _ => Outcome::Failed(task.error.clone()),
    }
}

/// Takes the task back; it may have ended just before.
async fn give_up(connection: &Connection, id: u64, wait: Duration) -> Result<Outcome, ClientError> {
    let tasks = connection.cluster.tasks();
    match tasks.cancel(id).await {
        Ok(answer) => {
            let begun = answer.task.is_some_and(|task| task.attempt > 0);
            let what = if begun { "it did not finish" } else { "it did not take" };
            Ok(Outcome::NoAnswer(format!("{what} task {id} within {wait:?}; the task is cancelled")))
        }
        Err(ClientError::Refused { .. }) => Ok(outcome(&tasks.get(id).await?.task.unwrap_or_default())),
        Err(error) => Err(error),
    }
}
