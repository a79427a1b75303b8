//! Runs one attempt and makes sure that it ends: by itself, by its timeout, by a stop, or by a panic.

use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use crate::tasks::{Context, Registry, TaskError};

/// Longest result that a task may report in bytes: it goes through the log and stays in every node's memory.
pub const RESULT_BYTES_MAX: usize = 1 << 20;

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With this result.
    Completed(Vec<u8>),
    /// Without one.
    Failed(TaskError),
    /// It was told to stop; nobody wants to hear of it.
    Stopped,
}

/// Runs an attempt of `kind` to its end. Its future is dropped on a timeout or a stop, before this returns; blocking
/// code that it left running sees its stop token cancelled.
pub(crate) async fn execute(
    registry: &Registry,
    kind: &str,
    context: Context,
    payload: Vec<u8>,
    timeout: Duration,
) -> Outcome {
    let kind = match registry.get(kind) {
        Ok(kind) => kind.clone(),
        Err(error) => return Outcome::Failed(error),
    };
    let stop = context.stop.clone();
    let inner = stop.child_token();
    let _stops_blocking_code = inner.clone().drop_guard();
    let context = Context { stop: inner, ..context };
    let mut running = AbortOnDropHandle::new(tokio::spawn(async move { kind(context, payload).await }));
    let outcome = tokio::select! {
        biased;
        () = stop.cancelled() => Outcome::Stopped,
        ended = &mut running => return ended_by_itself(ended),
        () = tokio::time::sleep(timeout) => {
            Outcome::Failed(TaskError::transient(format!("timed out after {} ms", timeout.as_millis())))
        }
    };
    running.abort();
    // Its destructors have run when this returns; whether it was cancelled or just done no longer matters.
    let _ = running.await;
    outcome
}

fn ended_by_itself(ended: Result<Result<Vec<u8>, TaskError>, tokio::task::JoinError>) -> Outcome {
    match ended {
        Ok(Ok(result)) if result.len() > RESULT_BYTES_MAX => Outcome::Failed(TaskError::fatal(format!(
            "the result has {} bytes, at most {RESULT_BYTES_MAX} are allowed: write it to the object store",
            result.len()
        ))),
        Ok(Ok(result)) => Outcome::Completed(result),
        Ok(Err(error)) => Outcome::Failed(error),
        Err(error) => Outcome::Failed(TaskError::transient(panic_text(error))),
    }
}

fn panic_text(error: tokio::task::JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else {
        return "the worker is stopping".to_owned();
    };
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the task panicked: {}", text.unwrap_or("no message"))
}
