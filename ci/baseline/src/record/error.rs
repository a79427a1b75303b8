//! What can be wrong with a record on disk. Each message names the file, the place in it and what is expected.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a record could not be read or written.
#[derive(Debug, Error)]
pub enum RecordError {
    /// A file could not be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file could not be written; what was there before is unchanged.
    #[error("{}: cannot be written: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No room for a file; what was there before is unchanged.
    #[error("{}: cannot be written: the disk is full. Nothing of it is left behind, earlier files are unchanged", path.display())]
    Full {
        /// Which.
        path: PathBuf,
    },
    /// Not the JSON of a record.
    #[error(
        "{}:{line}:{column}: not a record: {message}; expected JSON as `farquorum measure` writes it, see record.schema.json",
        path.display()
    )]
    Json {
        /// Which file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// A field whose value cannot be.
    #[error("{}: {field}: {message}", path.display())]
    Field {
        /// Which file.
        path: PathBuf,
        /// Way to the field: `series[2].quantiles.p50`.
        field: String,
        /// What it holds and what is expected.
        message: String,
    },
    /// A line of the samples that cannot be.
    #[error("{}:{line}: {message}", path.display())]
    Samples {
        /// Which file.
        path: PathBuf,
        /// Line of the decompressed text, from 1.
        line: usize,
        /// What it holds and what is expected.
        message: String,
    },
}

impl RecordError {
    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        match source.kind() {
            StorageFull | QuotaExceeded => Self::Full { path: path.to_owned() },
            _ => Self::Write { path: path.to_owned(), source },
        }
    }

    pub(super) fn field(path: &Path, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Field { path: path.to_owned(), field: field.into(), message: message.into() }
    }
}
