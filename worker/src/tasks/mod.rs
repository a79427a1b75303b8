//! Task kinds: what a worker can run.
//!
//! A kind sees its payload, the object store and its attempt, and nothing of the control plane. It may be stopped at
//! any await; blocking work asks [`Context::is_stopped`] now and then. What it writes lies below the attempt's own
//! prefix until `publish` makes it visible, so a stopped or repeated attempt does no harm.

mod command;
mod matmul;
mod object;
mod publish;
mod storage_check;
mod wordcount;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use farquorum_core::AttemptRef;
use farquorum_storage::{Store, StoreError, join};
use tokio_util::sync::CancellationToken;

pub use command::{CommandPayload, CommandResult};
pub use matmul::{MatmulPayload, MatmulResult};
pub use publish::{MANIFEST, Manifest, ManifestPart};
pub use storage_check::StorageCheckPayload;
pub use wordcount::partition_of;

/// Longest input split of a map task in bytes: its distinct words are held in memory.
pub const SPLIT_BYTES_MAX: u64 = 256 << 20;

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TaskError {
    /// What, where, what is allowed.
    pub message: String,
    /// Whether another attempt may succeed.
    pub retryable: bool,
}

impl TaskError {
    /// A failure that every attempt would meet: the payload is wrong.
    pub fn fatal(message: impl Into<String>) -> Self {
        Self { message: message.into(), retryable: false }
    }

    /// A failure that may be gone next time.
    pub fn transient(message: impl Into<String>) -> Self {
        Self { message: message.into(), retryable: true }
    }
}

impl From<StoreError> for TaskError {
    fn from(error: StoreError) -> Self {
        // A missing object may be an attempt's that was replaced meanwhile; only a URL that is none never works.
        let retryable = !matches!(error, StoreError::BadUrl { .. } | StoreError::TooLarge { .. });
        Self { message: error.to_string(), retryable }
    }
}

/// What an attempt may use.
#[derive(Clone, Debug)]
pub struct Context {
    /// The object store.
    pub store: Store,
    /// Which attempt this is.
    pub attempt: AttemptRef,
    /// Cancelled when the attempt is stopped, for blocking code.
    pub stop: CancellationToken,
}

impl Context {
    /// Whether blocking code should end.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Prefix of this attempt's objects: `<output>/_attempts/<task>/<attempt>`.
    pub fn prefix(&self, output: &str) -> String {
        join(output, &format!("{ATTEMPTS}/{}/{}", self.attempt.task, self.attempt.attempt))
    }
}

/// Folder of the attempts' objects below a job's output.
pub(crate) const ATTEMPTS: &str = "_attempts";

/// The future of one attempt: the result's bytes.
pub type Running = Pin<Box<dyn Future<Output = Result<Vec<u8>, TaskError>> + Send>>;

/// Starts one attempt of a kind with this payload.
pub type Kind = Arc<dyn Fn(Context, Vec<u8>) -> Running + Send + Sync>;

/// Kinds by name.
#[derive(Clone)]
pub struct Registry {
    kinds: BTreeMap<&'static str, Kind>,
}

impl Default for Registry {
    fn default() -> Self {
        let mut registry = Self { kinds: BTreeMap::new() };
        registry.add("command", command::run);
        registry.add("matmul", matmul::run);
        registry.add("wordcount-map", wordcount::map);
        registry.add("wordcount-reduce", wordcount::reduce);
        registry.add("publish", publish::run);
        registry.add("storage-check", storage_check::run);
        registry
    }
}

impl Registry {
    /// The kinds that can run on this host: `command` needs programs, which an image with the worker alone lacks.
    pub fn of_host() -> Self {
        Self::with_programs(command::has_programs())
    }

    fn with_programs(programs: bool) -> Self {
        let mut registry = Self::default();
        if !programs {
            registry.kinds.remove("command");
        }
        registry
    }

    /// Adds or replaces a kind.
    pub fn add<F, R>(&mut self, name: &'static str, run: F)
    where
        F: Fn(Context, Vec<u8>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Vec<u8>, TaskError>> + Send + 'static,
    {
        self.kinds.insert(name, Arc::new(move |context, payload| Box::pin(run(context, payload))));
    }

    /// Names of all kinds, in order.
    pub fn names(&self) -> Vec<String> {
        self.kinds.keys().map(|name| (*name).to_owned()).collect()
    }

    /// The kind with this name.
    ///
    /// # Errors
    /// Names the kinds that there are.
    pub fn get(&self, name: &str) -> Result<&Kind, TaskError> {
        self.kinds.get(name).ok_or_else(|| {
            TaskError::fatal(format!(
                "unknown task kind {name:?}; this worker runs {}",
                self.names().join(", ")
            ))
        })
    }
}

/// Reads a JSON payload.
fn from_json<T: serde::de::DeserializeOwned>(kind: &str, payload: &[u8]) -> Result<T, TaskError> {
    serde_json::from_slice(payload).map_err(|e| TaskError::fatal(format!("payload of {kind}: {e}")))
}

/// Writes a JSON result.
fn to_json<T: serde::Serialize>(result: &T) -> Result<Vec<u8>, TaskError> {
    serde_json::to_vec(result).map_err(|e| TaskError::fatal(format!("result: {e}")))
}

/// Reads the CBOR payload of a job's task.
fn from_cbor<'b, T: minicbor::Decode<'b, ()>>(kind: &str, payload: &'b [u8]) -> Result<T, TaskError> {
    minicbor::decode(payload).map_err(|e| TaskError::fatal(format!("payload of {kind}: {e}")))
}

/// Writes the CBOR result of a job's task.
fn to_cbor(report: &farquorum_core::work::Report) -> Result<Vec<u8>, TaskError> {
    minicbor::to_vec(report).map_err(|e| TaskError::fatal(format!("result: {e}")))
}

/// Runs blocking code away from the runtime's threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, TaskError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(TaskError::transient("the worker is stopping")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_plane_knows_every_kind() {
        assert_eq!(Registry::default().names(), farquorum_core::KINDS);
    }

    #[test]
    fn without_programs_there_are_no_commands() {
        assert_eq!(Registry::with_programs(true).names(), farquorum_core::KINDS);
        let registry = Registry::with_programs(false);
        let others: Vec<_> = farquorum_core::KINDS.into_iter().filter(|kind| *kind != "command").collect();
        assert_eq!(registry.names(), others);
        assert!(
            registry.get("command").is_err_and(|error| error.message.contains("this worker runs matmul"))
        );
    }
}
