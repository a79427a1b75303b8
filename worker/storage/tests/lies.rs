//! The check against servers that lie (STO-2): one takes "create only when absent" and ignores it, one gives back other
//! bytes than it took.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: a failure here is a failed test")]

use farquorum_storage::check::{CheckReport, ConditionalCreate, check};
use farquorum_storage::{StorageSettings, Store};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::dto::*;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

/// What a server does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lie {
    Condition,
    Bytes,
}

struct Liar {
    files: FileSystem,
    lie: Lie,
    /// Writes go one after the other: s3s-fs by itself lets two creators win, and that would be a second lie.
    writes: Mutex<()>,
}

#[async_trait::async_trait]
impl S3 for Liar {
    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        if self.lie == Lie::Condition {
            req.input.if_none_match = None;
        } else if req.input.key.ends_with("/data") {
            let length = usize::try_from(req.input.content_length.unwrap()).unwrap();
            req.input.body = Some(StreamingBlob::from(Body::from(vec![7; length])));
        }
        let _one = self.writes.lock().await;
        self.files.put_object(req).await
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.files.get_object(req).await
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.files.delete_object(req).await
    }
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

async fn checked(lie: Lie) -> CheckReport {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("bucket")).unwrap();
    let files = FileSystem::new(folder.path()).unwrap();
    let service = S3ServiceBuilder::new(Liar { files, lie, writes: Mutex::default() }).build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let settings = StorageSettings::s3(endpoint, "bucket", None);
    tokio::spawn(serve(listener, service));
    check(&Store::open(&settings).unwrap(), "s3://bucket", "test").await.unwrap()
}

#[tokio::test]
async fn each_lie_is_found_and_its_meaning_said() {
    for (lie, intact, create, means) in [
        (Lie::Condition, true, ConditionalCreate::Ignored, "IGNORED: two attempts could both publish"),
        (Lie::Bytes, false, ConditionalCreate::Honoured, "READ BACK DIFFERENT: do not use this store"),
    ] {
        let report = checked(lie).await;
        assert_eq!((report.intact, report.conditional_create), (intact, create), "{report}");
        assert!(!report.is_ok() && report.to_string().contains(means), "{report}");
    }
}
