//! Objects by URL.
//!
//! One type over the clouds' stores and local files, so that a task kind never asks where its bytes are. Every request is retried a
//! bounded number of times with backoff; what comes back after that is typed and names the URL and the operation.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use crate::asker::asker;
use crate::error::StoreError;
use crate::location::{Location, Scheme, in_bucket};
use crate::reader::ObjectReader;
use crate::services::Services;
use crate::settings::StorageSettings;
use crate::writer::ObjectWriter;

/// Clients for further buckets that are kept; a task names one or two, so more is a mistake or an attack.
const BUCKETS_MAX: usize = 64;
/// What a listing says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// URL of the object.
    pub url: String,
    /// Bytes.
    pub length: u64,
}

/// Objects below a prefix, as they come.
pub type Listing = BoxStream<'static, Result<ObjectInfo, StoreError>>;

/// The object store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
    /// Whether URLs may name files of this host.
    files: bool,
}

#[derive(Debug)]
struct Inner {
    services: Services,
    local: Arc<LocalFileSystem>,
    /// Clients by bucket. Invariant: at most [`BUCKETS_MAX`].
    buckets: Mutex<BTreeMap<(Scheme, String), Arc<dyn ObjectStore>>>,
}

impl Store {
    /// Opens the store; sends nothing yet.
    ///
    /// # Errors
    /// When the endpoint is not an http or https URL or the credentials file is not usable.
    pub fn open(settings: &StorageSettings) -> Result<Self, StoreError> {
        Ok(Self {
            inner: Arc::new(Inner {
                services: Services::new(settings)?,
                local: Arc::new(LocalFileSystem::new()),
                buckets: Mutex::default(),
            }),
            files: true,
        })
    }

    /// The same store, which opens no file of this host: for URLs that come from others.
    #[must_use]
    pub fn without_files(mut self) -> Self {
        self.files = false;
        self
    }

    /// URL of the deployment's own bucket.
    pub fn bucket_url(&self) -> &str {
        &self.inner.services.settings.url
    }

    /// What is known of one object.
    pub async fn head(&self, url: &str) -> Result<ObjectInfo, StoreError> {
        let (store, at) = self.locate(url)?;
        let meta = store.head(at.key()).await.map_err(|e| self.failed("look at", url, &e))?;
        Ok(ObjectInfo { url: url.to_owned(), length: meta.size })
    }

    /// A whole object of at most `bytes_max` bytes.
    pub async fn get(&self, url: &str, bytes_max: u64) -> Result<Bytes, StoreError> {
        let operation = "read";
        let failed = |e| self.failed(operation, url, &e);
        let (store, at) = self.locate(url)?;
        let result = store.get(at.key()).await.map_err(failed)?;
        let length = result.meta.size;
        if length > bytes_max {
            return Err(StoreError::TooLarge { operation, url: url.to_owned(), length, max: bytes_max });
        }
        result.bytes().await.map_err(failed)
    }

    /// The bytes `range` of an object; all of them in memory at once.
    pub async fn get_range(&self, url: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let (store, at) = self.locate(url)?;
        store.get_range(at.key(), range).await.map_err(|e| self.failed("read", url, &e))
    }

    /// Reads an object of any length piece by piece; `range` must lie inside it.
    pub fn reader(&self, url: &str, range: Range<u64>) -> ObjectReader {
        ObjectReader::new(self.clone(), url.to_owned(), range)
    }

    /// Writes an object, replacing what was there.
    pub async fn put(&self, url: &str, content: Bytes) -> Result<(), StoreError> {
        let (store, at) = self.locate(url)?;
        let put = store.put(at.key(), content.into()).await;
        put.map(|_| ()).map_err(|e| self.failed("write", url, &e))
    }

    /// Writes an object only when there is none; says whether it did. When an answer was lost and the request tried
    /// again, the answer may be `false` although it was this call that wrote: compare the content before giving up.
    pub async fn put_if_absent(&self, url: &str, content: Bytes) -> Result<bool, StoreError> {
        let (store, at) = self.locate(url)?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match store.put_opts(at.key(), content.into(), options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                Ok(false)
            }
            Err(e) => Err(self.failed("create", url, &e)),
        }
    }

    /// Writes an object of any length in parts; it appears when [`ObjectWriter::finish`] returns.
    pub fn writer(&self, url: &str) -> Result<ObjectWriter, StoreError> {
        let (store, at) = self.locate(url)?;
        Ok(ObjectWriter::new(self.clone(), store, at.key().clone(), url.to_owned()))
    }

    /// Objects below a prefix (a whole path component: `a/b` does not list `a/bc`), in no promised order.
    pub fn list(&self, prefix: &str) -> Result<Listing, StoreError> {
        let (store, at) = self.locate(prefix)?;
        let (this, prefix) = (self.clone(), prefix.to_owned());
        let list = store.list(Some(at.key())).map(move |entry| match entry {
            Ok(meta) => Ok(ObjectInfo { url: at.url_of(&meta.location), length: meta.size }),
            Err(e) => Err(this.failed("list", &prefix, &e)),
        });
        Ok(list.boxed())
    }

    /// Deletes an object; one that is not there is no error.
    pub async fn delete(&self, url: &str) -> Result<(), StoreError> {
        let (store, at) = self.locate(url)?;
        match store.delete(at.key()).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(self.failed("delete", url, &e)),
        }
    }

    /// An error of the library, with what was tried on what, and by whom.
    pub(crate) fn failed(
        &self,
        operation: &'static str,
        url: &str,
        source: &object_store::Error,
    ) -> StoreError {
        let Services { settings, keys, .. } = self.services();
        let who = asker(settings, keys, in_bucket(url).map(|(scheme, ..)| scheme));
        StoreError::from_library(operation, url, &who, source)
    }

    pub(crate) fn services(&self) -> &Services {
        &self.inner.services
    }

    fn locate(&self, url: &str) -> Result<(Arc<dyn ObjectStore>, Location), StoreError> {
        let location = Location::parse(url)?;
        let store = match &location {
            Location::Local { .. } if !self.files => {
                return Err(StoreError::BadUrl {
                    url: url.to_owned(),
                    reason: "files of this host are not open here".to_owned(),
                });
            }
            Location::Local { .. } => self.inner.local.clone(),
            Location::Bucket { scheme, bucket, .. } => self.bucket(*scheme, bucket)?,
        };
        Ok((store, location))
    }

    fn bucket(&self, scheme: Scheme, bucket: &str) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let mut buckets = self.inner.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (scheme, bucket.to_owned());
        if let Some(store) = buckets.get(&place) {
            return Ok(store.clone());
        }
        if buckets.len() >= BUCKETS_MAX {
            return Err(StoreError::Settings(format!(
                "bucket {bucket:?}: {BUCKETS_MAX} other buckets are in use already, which is the most"
            )));
        }
        let store = self.inner.services.connect(scheme, bucket)?;
        buckets.insert(place, store.clone());
        Ok(store)
    }
}
