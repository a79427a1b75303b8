//! KvService: bytes to bytes, linearizable.

use farquorum_core::{Command, Outcome};
use farquorum_proto::v1;
use farquorum_proto::v1::kv_service_server::KvService;
use tonic::{Request, Response, Status};

use super::request::check_size;
use super::{Api, convert, errors, page};

impl Api {
    fn check_key(&self, key: &[u8]) -> Result<(), Status> {
        if key.is_empty() {
            return Err(errors::invalid("the key is empty"));
        }
        check_size("the key", key.len(), self.0.config.limits.key_bytes_max, "limits.key_bytes_max")
    }

    fn check_value(&self, value: &[u8]) -> Result<(), Status> {
        check_size("the value", value.len(), self.0.config.limits.value_bytes_max, "limits.value_bytes_max")
    }
}

#[tonic::async_trait]
impl KvService for Api {
    async fn set(&self, request: Request<v1::SetRequest>) -> Result<Response<v1::SetResponse>, Status> {
        let deadline = self.0.deadline(request.metadata());
        let v1::SetRequest { key, value } = request.into_inner();
        self.check_key(&key)?;
        self.check_value(&value)?;
        let command = Command::KvSet { key: key.into(), value: value.into() };
        match self.0.propose(command, deadline).await? {
            Outcome::Set { revision } => Ok(Response::new(v1::SetResponse { revision: revision.0 })),
            other => Err(errors::unexpected(&other)),
        }
    }

    async fn get(&self, request: Request<v1::GetRequest>) -> Result<Response<v1::GetResponse>, Status> {
        let deadline = self.0.deadline(request.metadata());
        let v1::GetRequest { key, stale } = request.into_inner();
        self.check_key(&key)?;
        let view = if stale { self.0.raft.view() } else { self.0.read(deadline).await? };
        let kv = view.state.kv_get(&key).map(|entry| convert::key_value(&key, &entry.value, entry.revision));
        Ok(Response::new(v1::GetResponse { kv, read_index: view.index.0 }))
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteRequest>,
    ) -> Result<Response<v1::DeleteResponse>, Status> {
        let deadline = self.0.deadline(request.metadata());
        let key = request.into_inner().key;
        self.check_key(&key)?;
        match self.0.propose(Command::KvDelete { key: key.into() }, deadline).await? {
            Outcome::Deleted { existed, revision } => {
                Ok(Response::new(v1::DeleteResponse { existed, revision: revision.0 }))
            }
            other => Err(errors::unexpected(&other)),
        }
    }

    async fn compare_and_set(
        &self,
        request: Request<v1::CompareAndSetRequest>,
    ) -> Result<Response<v1::CompareAndSetResponse>, Status> {
        let deadline = self.0.deadline(request.metadata());
        let v1::CompareAndSetRequest { key, expected, value } = request.into_inner();
        self.check_key(&key)?;
        self.check_value(&value)?;
        let command = Command::KvCompareAndSet {
            key: key.to_vec(),
            expected: expected.map(Into::into),
            value: value.into(),
        };
        match self.0.propose(command, deadline).await? {
            Outcome::Swapped { swapped, current } => {
                let current = current.map(|(value, revision)| convert::key_value(&key, &value, revision));
                Ok(Response::new(v1::CompareAndSetResponse { swapped, current }))
            }
            other => Err(errors::unexpected(&other)),
        }
    }

    async fn list(&self, request: Request<v1::ListRequest>) -> Result<Response<v1::ListResponse>, Status> {
        let deadline = self.0.deadline(request.metadata());
        let v1::ListRequest { prefix, page_size, page_token } = request.into_inner();
        let after = page::key_in(&page_token)?;
        let size = page::size(page_size);
        let view = self.0.read(deadline).await?;
        let page = view.state.kv_list(&prefix, after.as_deref(), size);
        let fitting =
            page::fitting(page.items.iter().map(|(key, entry)| key.len() + entry.value.len()), self.0.room());
        let kvs = page.items.iter().take(fitting);
        let kvs: Vec<_> =
            kvs.map(|(key, entry)| convert::key_value(key, &entry.value, entry.revision)).collect();
        let next = if fitting < page.items.len() { kvs.last().map(|kv| kv.key.to_vec()) } else { page.next };
        let next_page_token = next.map(|key| page::key_token(&key)).unwrap_or_default();
        Ok(Response::new(v1::ListResponse { kvs, next_page_token }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use farquorum_core::{LogIndex, Millis, Proposal, State};

    use super::*;
    use crate::api::Context;
    use crate::manifest::Waiting;
    use crate::raft::{Request as ToLoop, View};
    use crate::testing;

    fn api(raft: crate::raft::RaftHandle) -> Api {
        let config = Arc::new(testing::config(1));
        let me = config.nodes[0].clone();
        let links: crate::api::context::Links = Arc::new(Default::default);
        let waiting = Arc::new(Waiting::default());
        let prober = crate::api::Prober::new(|_| None);
        let (started, release) = (Instant::now(), crate::Release::THIS);
        Api(Arc::new(Context { config, me, raft, waiting, links, prober, started, release }))
    }

    /// A node that is behind: it has what was written only after its read index was confirmed.
    #[tokio::test]
    async fn a_read_waits_for_its_index_and_a_stale_one_does_not() {
        let (raft, mut fake) = testing::raft();
        let api = api(raft);
        let get = |stale| Request::new(v1::GetRequest { key: "k".into(), stale });
        let behind = api.get(get(true)).await.unwrap().into_inner();
        assert_eq!(behind, v1::GetResponse { kv: None, read_index: 0 });

        let confirm = async {
            let Some(ToLoop::Read { reply }) = fake.requests.recv().await else {
                panic!("no read was asked for")
            };
            let mut state = State::new();
            let command = Command::KvSet { key: b"k".to_vec(), value: b"v".to_vec() };
            state.apply(LogIndex(7), &Proposal { now: Millis(1), command }).unwrap();
            fake.view.store(Arc::new(View { state, index: LogIndex(7) }));
            reply.send(Ok(())).unwrap();
            std::future::pending().await
        };
        let read = tokio::select! {
            read = api.get(get(false)) => read,
            () = confirm => unreachable!("it waits for ever"),
        };
        let read = read.unwrap().into_inner();
        assert_eq!((read.kv.map(|kv| kv.value), read.read_index), (Some("v".into()), 7));
    }
}
