//! What can go wrong with an object, with the operation, the URL and what to try.

use std::path::PathBuf;

/// A failed operation on the object store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no object.
    #[error("{url:?} names no object: {reason}; allowed are s3://bucket/key, file:///path and a path")]
    BadUrl {
        /// As given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such object (or bucket).
    #[error("cannot {operation} {url}: there is no such object or bucket; check the URL")]
    NotFound {
        /// What was tried.
        operation: &'static str,
        /// On what.
        url: String,
    },
    /// The store did not accept who we are.
    #[error("cannot {operation} {url}: the store refused the keys; check the credentials file of this host")]
    Denied {
        /// What was tried.
        operation: &'static str,
        /// On what.
        url: String,
    },
    /// The object is larger than the caller can take.
    #[error("cannot {operation} {url}: it has {length} bytes, at most {max} are allowed here")]
    TooLarge {
        /// What was tried.
        operation: &'static str,
        /// On what.
        url: String,
        /// Its length in bytes.
        length: u64,
        /// The most that is allowed, in bytes.
        max: u64,
    },
    /// Everything else: not reachable, out of space, a broken answer. Retries are already used up.
    #[error("cannot {operation} {url}: {detail}; is the store up? `farquorum storage check` tells")]
    Failed {
        /// What was tried.
        operation: &'static str,
        /// On what.
        url: String,
        /// What the store or the network said.
        detail: String,
    },
    /// The settings make no sense.
    #[error("storage settings: {0}")]
    Settings(String),
    /// The file with the keys.
    #[error("credentials file {path}: {detail}")]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; never its content.
        detail: String,
    },
}

impl StoreError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    /// Names the operation and the URL of an error of the library.
    pub(crate) fn from_library(operation: &'static str, url: &str, source: &object_store::Error) -> Self {
        use object_store::Error as E;
        let url = url.to_owned();
        match source {
            E::NotFound { .. } => Self::NotFound { operation, url },
            E::PermissionDenied { .. } | E::Unauthenticated { .. } => Self::Denied { operation, url },
            E::InvalidPath { source } => Self::BadUrl { url, reason: source.to_string() },
            other => Self::Failed { operation, url, detail: chain(other) },
        }
    }
}

/// An error and its causes on one line; the library's own text often leaves the cause out.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
