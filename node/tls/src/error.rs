//! What can be wrong with certificates, keys and their files. Every message names the file or the value.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::identity::IdentityError;

/// Certificates, keys or revocation lists that cannot be made, read or used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file that cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that would be overwritten.
    #[error("{path} is already there and is not overwritten; choose another folder, or force it")]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// A file without what it should hold.
    #[error("{path} holds no usable {what}: {reason}")]
    Content {
        /// Which file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// Why it cannot be used.
        reason: String,
    },
    /// A certificate whose identity is not what this place needs.
    #[error("certificate {path}: {source}")]
    Identity {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: IdentityError,
    },
    /// A request for a certificate that cannot be granted.
    #[error("cannot issue a certificate: {0}")]
    Request(String),
    /// What came back from the authority and does not fit this host.
    #[error("cannot install the certificate: {0}")]
    Bundle(String),
    /// A name in the request that is not allowed.
    #[error(transparent)]
    Name(#[from] IdentityError),
    /// The library that makes certificates refused.
    #[error("cannot make {what}: {source}")]
    Make {
        /// What was being made.
        what: &'static str,
        /// Why not.
        source: rcgen::Error,
    },
    /// Files that are readable one by one but do not work together.
    #[error("cannot use certificate {path}: {reason}")]
    Unusable {
        /// The holder's certificate.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}
