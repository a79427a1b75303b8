//! An object store on a loopback port, and kinds run by name as the executor does.

use bytes::Bytes;
use farquorum_core::work::Report;
use farquorum_core::{Attempt, AttemptRef, TaskId};
use farquorum_storage::{S3Server, ServerOptions, StorageSettings, Store};
use farquorum_worker::tasks::{Context, Registry, TaskError};
use futures::TryStreamExt;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) struct Lab {
    pub(crate) store: Store,
    pub(crate) settings: StorageSettings,
    _folder: TempDir,
    _stop: DropGuard,
}

impl Lab {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let credentials = folder.path().join("credentials.toml");
        let server = S3Server::open(&ServerOptions {
            data_dir: folder.path().to_owned(),
            credentials: credentials.clone(),
            bucket: "pipeline-data".to_owned(),
            connections_max: 64,
        })
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(server.serve(listener, stop.clone()));
        let settings = StorageSettings::s3(endpoint, "pipeline-data", Some(credentials));
        let store = Store::open(&settings).unwrap();
        Self { store, settings, _folder: folder, _stop: stop.drop_guard() }
    }

    pub(crate) fn context(&self, task: u64, attempt: u64) -> Context {
        let attempt = AttemptRef { task: TaskId(task), attempt: Attempt(attempt) };
        Context { store: self.store.clone(), attempt, stop: CancellationToken::new() }
    }

    /// Runs one attempt of a kind of a job.
    pub(crate) async fn attempt<P: minicbor::Encode<()>>(
        &self,
        kind: &str,
        ids: (u64, u64),
        payload: &P,
    ) -> Result<Report, TaskError> {
        let payload = minicbor::to_vec(payload).unwrap();
        let result = self.run(kind, ids, &payload).await?;
        Ok(minicbor::decode(&result).unwrap())
    }

    pub(crate) async fn run(
        &self,
        kind: &str,
        ids: (u64, u64),
        payload: &[u8],
    ) -> Result<Vec<u8>, TaskError> {
        let run = Registry::default().get(kind)?.clone();
        run(self.context(ids.0, ids.1), payload.to_vec()).await
    }

    pub(crate) async fn put(&self, url: &str, content: impl Into<Bytes>) {
        self.store.put(url, content.into()).await.unwrap();
    }

    pub(crate) async fn text(&self, url: &str) -> String {
        String::from_utf8(self.store.get(url, 64 << 20).await.unwrap().to_vec()).unwrap()
    }

    /// URLs below a prefix, sorted.
    pub(crate) async fn urls(&self, prefix: &str) -> Vec<String> {
        let list = self.store.list(prefix).unwrap();
        let mut urls: Vec<_> = list.map_ok(|info| info.url).try_collect().await.unwrap();
        urls.sort();
        urls
    }
}
