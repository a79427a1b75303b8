//! The lab's S3 server: one folder, one pair of keys.
//!
//! Real S3 over the emulated network, so that a job's bytes cross the links like in a cloud. No TLS and no users:
//! it belongs inside the lab. Objects survive a restart of the process; they are not fsynced, so a power cut may lose
//! the last ones, which a job notices by their digests.

use std::path::{Path, PathBuf};

use farquorum_http::Limits;
use s3s::auth::SimpleAuth;
use s3s::route::S3Route;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Request, S3Response, S3Result};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::credentials::Credentials;
use crate::error::StoreError;
use crate::guard::Guarded;

/// What the server needs to know.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Objects are below `objects/` here; made when missing.
    pub data_dir: PathBuf,
    /// File with the keys; made with a random pair when missing.
    pub credentials: PathBuf,
    /// Bucket that is made when missing.
    pub bucket: String,
    /// Connections served at once; further ones wait in the listener's backlog.
    pub connections_max: usize,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The keys.
    #[error(transparent)]
    Credentials(#[from] StoreError),
    /// The data folder.
    #[error("object store folder {path}: {detail}; it must be a writable folder of a local file system")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
}

/// A server that is ready to take connections.
pub struct S3Server {
    service: S3Service,
    credentials: Credentials,
    connections_max: usize,
}

impl S3Server {
    /// Makes what is missing (folder, bucket, keys); opens no port.
    ///
    /// # Errors
    /// When the folder or the credentials file cannot be used.
    pub fn open(options: &ServerOptions) -> Result<Self, ServerError> {
        let root = options.data_dir.join("objects");
        let folder = |path: &Path, detail: String| ServerError::Folder { path: path.to_owned(), detail };
        let bucket = root.join(&options.bucket);
        std::fs::create_dir_all(&bucket).map_err(|e| folder(&bucket, e.to_string()))?;
        let credentials = Credentials::load_or_create(&options.credentials)?;
        let files = FileSystem::new(&root).map_err(|e| folder(&root, format!("{e:?}")))?;
        let mut builder = S3ServiceBuilder::new(Guarded::new(files, &root));
        builder.set_auth(SimpleAuth::from_single(
            credentials.access_key.clone(),
            credentials.secret_key.clone(),
        ));
        builder.set_route(Health);
        Ok(Self { service: builder.build(), credentials, connections_max: options.connections_max })
    }

    /// The keys that it takes.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Serves until `shutdown`, then lets running requests end for a few seconds.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        farquorum_http::serve(listener, self.service, Limits::of(self.connections_max), shutdown).await;
    }
}

/// `GET /health` without keys: 200 once the port is open.
struct Health;

#[async_trait::async_trait]
impl S3Route for Health {
    fn is_match(
        &self,
        method: &http::Method,
        uri: &http::Uri,
        _: &http::HeaderMap,
        _: &mut http::Extensions,
    ) -> bool {
        method == http::Method::GET && uri.path() == "/health"
    }

    async fn check_access(&self, _: &mut S3Request<Body>) -> S3Result<()> {
        Ok(())
    }

    async fn call(&self, _: S3Request<Body>) -> S3Result<S3Response<Body>> {
        Ok(S3Response::new(Body::from("ok\n".to_owned())))
    }
}
