//! The client against the lab's own server, over TCP (STO-1, STO-2), and against local files.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test fails by panicking; the values are its own"
)]

mod common;

use bytes::Bytes;
use common::contract::{long_object, round_trip, urls_below};
use common::{Lab, settings, write_other_credentials};
use farquorum_storage::check::{CHECK_BYTES, ConditionalCreate, check};
use farquorum_storage::{StorageSettings, Store, StoreError, join};

#[tokio::test]
async fn round_trip_over_s3() {
    let lab = Lab::start().await;
    round_trip(&lab.store, "s3://pipeline-data/some/where").await;
}

#[tokio::test]
async fn round_trip_in_a_folder() {
    let lab = Lab::start().await;
    let (plain, by_url) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    round_trip(&lab.store, plain.path().to_str().unwrap()).await;
    round_trip(&lab.store, &format!("file://{}", by_url.path().display())).await;
}

#[tokio::test]
async fn a_store_without_files_opens_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, "key").unwrap();
    let settings = StorageSettings::s3("http://127.0.0.1:1".to_owned(), "pipeline-data", None);
    let store = Store::open(&settings).unwrap();
    let urls = [path.to_str().unwrap().to_owned(), format!("file://{}", path.display())];
    for url in &urls {
        assert_eq!(store.head(url).await.unwrap().length, 3);
        let refused = store.clone().without_files().head(url).await.unwrap_err().to_string();
        assert!(refused.contains("files of this host are not open"), "{refused}");
    }
}

#[tokio::test]
async fn long_objects_go_in_parts_and_come_in_pieces() {
    let lab = Lab::start().await;
    long_object(&lab.store, lab.store.bucket_url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_fifty_creators_wins() {
    let lab = Lab::start().await;
    for round in 0..5 {
        let url = join(lab.store.bucket_url(), &format!("race/{round}"));
        let creators = (0..50).map(|creator| {
            let (store, url) = (lab.store.clone(), url.clone());
            tokio::spawn(async move {
                store.put_if_absent(&url, Bytes::from(vec![creator; 200_000])).await.unwrap()
            })
        });
        let won = futures::future::try_join_all(creators).await.unwrap();
        let winners: Vec<_> =
            (0u8..).zip(&won).filter(|(_, won)| **won).map(|(creator, _)| creator).collect();
        assert_eq!(winners.len(), 1, "round {round}: {winners:?}");
        let stands = lab.store.get(&url, 200_000).await.unwrap();
        assert!(stands.iter().all(|byte| *byte == winners[0]), "round {round}");
    }
}

#[tokio::test]
async fn objects_and_keys_survive_a_restart() {
    let lab = Lab::start().await;
    let url = join(lab.store.bucket_url(), "kept");
    lab.store.put(&url, Bytes::from_static(b"still here")).await.unwrap();
    let keys = std::fs::read(lab.folder.path().join("credentials.toml")).unwrap();
    let lab = lab.restart().await;
    assert_eq!(lab.store.get(&url, 100).await.unwrap(), "still here");
    assert!(!lab.store.put_if_absent(&url, Bytes::new()).await.unwrap());
    assert_eq!(std::fs::read(lab.folder.path().join("credentials.toml")).unwrap(), keys);
}

#[tokio::test]
async fn wrong_or_no_keys_are_refused() {
    let lab = Lab::start().await;
    let other = lab.folder.path().join("other.toml");
    write_other_credentials(&other);
    let stranger = Store::open(&settings(lab.settings.endpoint.as_deref().unwrap(), &other)).unwrap();
    let mut unsigned = lab.settings.clone();
    unsigned.credentials = None;
    let unsigned = Store::open(&unsigned).unwrap();
    let url = join(lab.store.bucket_url(), "secret");
    lab.store.put(&url, Bytes::from_static(b"s")).await.unwrap();
    for store in [stranger, unsigned] {
        assert!(matches!(store.get(&url, 10).await, Err(StoreError::Denied { .. })));
        assert!(matches!(store.put(&url, Bytes::new()).await, Err(StoreError::Denied { .. })));
        let error = store.put_if_absent(&url, Bytes::new()).await.unwrap_err().to_string();
        assert!(error.contains("credentials file") && error.contains(&url), "{error}");
    }
}

#[tokio::test]
async fn what_the_folder_cannot_hold_is_refused() {
    let lab = Lab::start().await;
    let store = &lab.store;
    let long = join(store.bucket_url(), &"k".repeat(151));
    let error = store.put(&long, Bytes::new()).await.unwrap_err().to_string();
    assert!(error.contains("at most 150 bytes"), "{error}");
    assert!(matches!(store.put("s3://elsewhere/key", Bytes::new()).await, Err(StoreError::NotFound { .. })));
    assert!(matches!(store.get("s3://elsewhere/key", 1).await, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn the_check_tells_the_checksum_and_leaves_nothing() {
    let lab = Lab::start().await;
    let report = check(&lab.store, lab.store.bucket_url(), "worker-1").await.unwrap();
    assert!(report.is_ok(), "{report}");
    assert_eq!((report.bytes, report.conditional_create), (CHECK_BYTES, ConditionalCreate::Honoured));
    assert!(report.to_string().contains(&report.sha256));
    assert!(urls_below(&lab.store, lab.store.bucket_url()).await.is_empty());
}

#[tokio::test]
async fn settings_that_name_no_store_are_refused() {
    let lab = Lab::start().await;
    for endpoint in ["", "10.0.0.1:9000", "ftp://host", "http://"] {
        let mut settings = lab.settings.clone();
        settings.endpoint = Some(endpoint.to_owned());
        assert!(matches!(Store::open(&settings), Err(StoreError::Settings(_))), "{endpoint}");
    }
}
