//! Google Cloud Storage, played by fake-gcs-server. It takes any token, so what is shown is that one is asked for as
//! Google wants it, and that objects go and come.

use std::process::Stdio;

use farquorum_storage::check::check;
use farquorum_storage::{StorageSettings, Store};
use tokio::process::Command;

use crate::common::contract::round_trip;
use crate::front::https;
use crate::metadata::{Identity, start};

pub(crate) const HOST: &str = "storage.googleapis.com";
/// Path of fake-gcs-server.
pub(crate) const EMULATOR: &str = "FARQUORUM_FAKE_GCS";

pub(crate) async fn identity() {
    let port = crate::azure::free_port().await;
    let mut emulator = Command::new(std::env::var_os(EMULATOR).unwrap())
        .args(["-scheme", "http", "-host", "127.0.0.1", "-port", &port.to_string(), "-backend", "memory"])
        .args(["-public-host", HOST, "-log-level", "error"])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let at = format!("127.0.0.1:{port}").parse().unwrap();
    crate::azure::wait_for(at).await;
    let front = https(at).await;
    let client = reqwest::Client::builder().no_proxy().resolve(HOST, front).build().unwrap();
    let made = client
        .post(format!("https://{HOST}/storage/v1/b?project=test"))
        .header("content-type", "application/json")
        .body("{\"name\":\"pipeline-data\"}")
        .send()
        .await
        .unwrap();
    assert!(made.status().is_success(), "{made:?}");

    let metadata = start(Identity { token: "ya29.test".to_owned(), ..Identity::default() }).await;
    let detours = [(format!("{HOST}:443"), front), ("metadata.google.internal:80".to_owned(), metadata)];
    let store = Store::open(&StorageSettings {
        url: "gs://pipeline-data".to_owned(),
        endpoint: None,
        region: "us-east-1".to_owned(),
        account: None,
        credentials: None,
        detours: detours.map(|(from, to)| (from, to.to_string())).into_iter().collect(),
    })
    .unwrap();
    round_trip(&store, "gs://pipeline-data/some/where").await;
    let report = check(&store, store.bucket_url(), "worker").await.unwrap();
    assert!(report.is_ok(), "{report}");
    emulator.kill().await.unwrap();
}
