//! `storage-check`: whether the object store, seen from this worker, does what jobs rely on (STO-2).

use farquorum_storage::check::check;
use serde::{Deserialize, Serialize};

use super::{Context, TaskError, from_json, to_json};

/// Nothing to choose: the worker's own bucket is checked, `{}`. The result is a `farquorum_storage::check::CheckReport`
/// as JSON. A store that lies completes the task with a report that says so; one that does not answer fails it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageCheckPayload {}

pub(super) async fn run(context: Context, payload: Vec<u8>) -> Result<Vec<u8>, TaskError> {
    let StorageCheckPayload {} = from_json("storage-check", &payload)?;
    let who = format!("task-{}-{}", context.attempt.task, context.attempt.attempt);
    to_json(&check(&context.store, context.store.bucket_url(), &who).await?)
}
