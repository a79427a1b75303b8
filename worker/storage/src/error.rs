//! What can go wrong with an object, with the operation, the URL and what to try.

use std::error::Error;
use std::path::PathBuf;

use crate::trust::Untrusted;

/// Where identities are asked for, as the library's errors quote it; it has no kind of error for that.
const METADATA: [&str; 4] = [
    "/latest/api/token",
    "/latest/meta-data/iam/",
    "/computeMetadata/v1/instance/",
    "/metadata/identity/oauth2/",
];

/// What Amazon (a session token) and Google (a refresh token) call a key that is wrong or has ended, with status 400.
const ENDED: [&str; 4] = ["ExpiredToken", "InvalidToken", "TokenRefreshRequired", "invalid_grant"];

/// Longest name of an error that is passed on.
const CODE_CHARS_MAX: usize = 60;

/// A failed operation on the object store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no object.
    #[error(
        "{url:?} names no object: {reason}; allowed are s3://bucket/key, gs://bucket/key, az://container/key, \
         file:///path and a path"
    )]
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
    #[error(
        "cannot {operation} {url}: the store refused {who}{code}; check that it is right, has not ended, and may do that \
         there"
    )]
    Denied {
        /// What was tried.
        operation: &'static str,
        /// On what.
        url: String,
        /// Who asked.
        who: String,
        /// What the store called it, in parentheses; may be empty.
        code: String,
    },
    /// There are no keys, and the cloud's machine, if this is one, did not say who it is.
    #[error(
        "cannot {operation} {url}: there are no keys for it, and this machine has no identity there ({detail}); give the \
         machine a role in that cloud, or name a file with keys: `worker run --credentials FILE`, `credentials` below \
         [storage] in a context"
    )]
    NoIdentity {
        /// What was tried.
        operation: &'static str,
        /// On what.
        url: String,
        /// What the metadata address answered.
        detail: String,
    },
    /// The server was reached, and is not the one that is trusted.
    #[error("cannot {operation} {url}: its server is not trusted: {detail}")]
    Untrusted {
        /// What was tried.
        operation: &'static str,
        /// On what.
        url: String,
        /// What is wrong with its certificate, and what to try.
        detail: String,
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
    #[error("cannot {operation} {url}: {detail}")]
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
    /// The file with the authorities of a server of one's own.
    #[error("file with the object store's authorities {path}: {detail}")]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
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
        matches!(self, Self::Failed { .. } | Self::NoIdentity { .. })
    }

    /// Names the operation and the URL of an error of the library.
    pub(crate) fn from_library(
        operation: &'static str,
        url: &str,
        who: &str,
        source: &object_store::Error,
    ) -> Self {
        use object_store::Error as E;
        let url = url.to_owned();
        let denied = |url, code: Option<&str>| {
            let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
            Self::Denied { operation, url, who: who.to_owned(), code }
        };
        match source {
            E::NotFound { .. } => Self::NotFound { operation, url },
            E::PermissionDenied { .. } | E::Unauthenticated { .. } => denied(url, code(&chain(source))),
            E::InvalidPath { source } => Self::BadUrl { url, reason: source.to_string() },
            other => {
                if let Some(Untrusted(detail)) = find(other) {
                    return Self::Untrusted { operation, url, detail: detail.clone() };
                }
                let detail = chain(other);
                if let Some(code) = ENDED.into_iter().find(|code| detail.contains(code)) {
                    return denied(url, Some(code));
                }
                if METADATA.iter().any(|path| detail.contains(path)) {
                    Self::NoIdentity { operation, url, detail }
                } else {
                    Self::Failed { operation, url, detail }
                }
            }
        }
    }
}

/// What the store called the error: `<Code>NAME</Code>` in its answer.
fn code(detail: &str) -> Option<&str> {
    let (_, rest) = detail.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let plain = code.len() <= CODE_CHARS_MAX && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then_some(code)
}

/// Our own error among the causes.
fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Untrusted> {
    error.downcast_ref().or_else(|| error.source().and_then(find))
}

/// An error and its causes on one line; the library's own text often leaves the cause out.
pub(crate) fn chain(error: &dyn Error) -> String {
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
