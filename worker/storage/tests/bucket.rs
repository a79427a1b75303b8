//! The bucket is made once, by a request that the store accepts as signed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: a failure here is a failed test")]

use farquorum_storage::{Credentials, StorageSettings, Store};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// A store over an empty folder, and the same with keys that it does not know.
async fn stores(folder: &TempDir) -> [Store; 2] {
    let root = folder.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let open = |name: &str| {
        let file = folder.path().join(name);
        let keys = Credentials::load_or_create(&file).unwrap();
        let settings = StorageSettings::s3(endpoint.clone(), "jobs", Some(file));
        (Store::open(&settings).unwrap(), keys)
    };
    let ((good, keys), (bad, _)) = (open("good.toml"), open("bad.toml"));
    let mut builder = S3ServiceBuilder::new(FileSystem::new(&root).unwrap());
    builder.set_auth(SimpleAuth::from_single(keys.access_key, keys.secret_key));
    tokio::spawn(serve(listener, builder.build()));
    [good, bad]
}

async fn serve(listener: TcpListener, service: S3Service) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service.clone();
        tokio::spawn(async move {
            let _gone = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

#[tokio::test]
async fn a_missing_bucket_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let [good, bad] = stores(&folder).await;
    // A store that does not know the keys does not say whether there is a bucket.
    assert!(!bad.ensure_bucket().await.unwrap());
    assert!(!folder.path().join("root/jobs").exists(), "made without the right keys");
    assert!(good.ensure_bucket().await.unwrap(), "not made");
    assert!(folder.path().join("root/jobs").is_dir());
    assert!(!good.ensure_bucket().await.unwrap(), "made twice");
    good.put("s3://jobs/a", "text".into()).await.unwrap();
    assert!(!good.ensure_bucket().await.unwrap());
}
