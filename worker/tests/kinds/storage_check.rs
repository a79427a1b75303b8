//! The kind that checks the object store (STO-2).

use farquorum_storage::check::{CHECK_BYTES, CheckReport};
use farquorum_storage::{StorageSettings, Store};
use farquorum_worker::tasks::{Context, Registry, StorageCheckPayload};

use crate::lab::Lab;

#[tokio::test]
async fn the_result_is_the_report_and_nothing_stays_in_the_store() {
    let lab = Lab::start().await;
    let payload = serde_json::to_vec(&StorageCheckPayload {}).unwrap();
    let result = lab.run("storage-check", (7, 9), &payload).await.unwrap();
    let report: CheckReport = serde_json::from_slice(&result).unwrap();
    assert!(report.is_ok() && report.bytes == CHECK_BYTES && report.sha256.len() == 64, "{report}");
    assert!(report.url.starts_with("s3://pipeline-data/_check/task-7-9-"), "{report}");
    assert!(lab.urls("s3://pipeline-data").await.is_empty());
}

#[tokio::test]
async fn a_wrong_payload_and_a_store_that_refuses_fail_the_task() {
    let lab = Lab::start().await;
    let error = lab.run("storage-check", (1, 1), b"{\"bytes\": 7}").await.unwrap_err();
    assert!(error.message.contains("unknown field `bytes`") && !error.retryable, "{error}");
    let unsigned = StorageSettings { credentials: None, ..lab.settings.clone() };
    let context = Context { store: Store::open(&unsigned).unwrap(), ..lab.context(1, 1) };
    let run = Registry::default().get("storage-check").unwrap().clone();
    let error = run(context, b"{}".to_vec()).await.unwrap_err();
    assert!(error.message.contains("s3://pipeline-data/_check/") && error.retryable, "{error}");
}
