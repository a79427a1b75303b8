//! A server on a loopback port of its own, in a folder of its own.

pub(crate) mod contract;

use std::path::Path;

use farquorum_storage::{Credentials, S3Server, ServerOptions, StorageSettings, Store};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) struct Lab {
    pub(crate) folder: TempDir,
    pub(crate) settings: StorageSettings,
    pub(crate) store: Store,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Lab {
    pub(crate) async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap()).await
    }

    async fn start_in(folder: TempDir) -> Self {
        let credentials = folder.path().join("credentials.toml");
        let server = S3Server::open(&ServerOptions {
            data_dir: folder.path().to_owned(),
            credentials: credentials.clone(),
            bucket: "pipeline-data".to_owned(),
            connections_max: 256,
        })
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let task = tokio::spawn(server.serve(listener, stop.clone()));
        let settings = settings(&endpoint, &credentials);
        let store = Store::open(&settings).unwrap();
        Self { folder, settings, store, stop, task }
    }

    /// Stops the server, waits until its port is closed, starts another one in the same folder.
    pub(crate) async fn restart(self) -> Self {
        self.stop.cancel();
        self.task.await.unwrap();
        Self::start_in(self.folder).await
    }
}

pub(crate) fn settings(endpoint: &str, credentials: &Path) -> StorageSettings {
    StorageSettings::s3(endpoint.to_owned(), "pipeline-data", Some(credentials.to_owned()))
}

pub(crate) fn write_other_credentials(path: &Path) {
    Credentials::load_or_create(path).unwrap();
}
