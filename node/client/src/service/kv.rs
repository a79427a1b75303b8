//! The key-value store. Writes are done once: a `set` that is sent again could undo somebody else's.

use bytes::Bytes;
use farquorum_proto::v1::kv_service_client::KvServiceClient;
use farquorum_proto::v1::{
    CompareAndSetRequest, CompareAndSetResponse, DeleteRequest, DeleteResponse, GetRequest, GetResponse,
    ListRequest, ListResponse, SetRequest, SetResponse,
};

use super::send;
use crate::cluster::{Call, Cluster};
use crate::error::ClientError;

/// The key-value store. All errors are [`ClientError`]s.
#[derive(Clone, Copy)]
pub struct Kv<'a>(pub(super) &'a Cluster);

impl Kv<'_> {
    /// Sets a value.
    pub async fn set(
        &self,
        key: impl Into<Bytes>,
        value: impl Into<Bytes>,
    ) -> Result<SetResponse, ClientError> {
        let message = SetRequest { key: key.into(), value: value.into() };
        send!(self.0, Call::once("kv set"), KvServiceClient, set, message)
    }

    /// Reads a value: linearizable, or from any node's own state when `stale`.
    pub async fn get(&self, key: impl Into<Bytes>, stale: bool) -> Result<GetResponse, ClientError> {
        let message = GetRequest { key: key.into(), stale };
        send!(self.0, Call::idempotent("kv get"), KvServiceClient, get, message)
    }

    /// Deletes a value.
    pub async fn delete(&self, key: impl Into<Bytes>) -> Result<DeleteResponse, ClientError> {
        let message = DeleteRequest { key: key.into() };
        send!(self.0, Call::once("kv del"), KvServiceClient, delete, message)
    }

    /// Sets a value when the current one is `expected` (none: when the key is absent).
    pub async fn compare_and_set(
        &self,
        key: impl Into<Bytes>,
        expected: Option<Bytes>,
        value: impl Into<Bytes>,
    ) -> Result<CompareAndSetResponse, ClientError> {
        let message = CompareAndSetRequest { key: key.into(), expected, value: value.into() };
        send!(self.0, Call::once("kv cas"), KvServiceClient, compare_and_set, message)
    }

    /// Lists keys, a page at a time.
    pub async fn list(&self, message: ListRequest) -> Result<ListResponse, ClientError> {
        send!(self.0, Call::idempotent("kv list"), KvServiceClient, list, message)
    }
}
