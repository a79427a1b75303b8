//! Reading and writing the two files of a record.
//!
//! Both are first written whole under temporary names and synced, so a disk that is full is found before anything is
//! replaced, and an error leaves no half file. Then the samples get their name and the JSON gets its own. A crash
//! between these two leaves an old JSON beside new samples, which the digest shows.

use std::fs::File;
use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};

use farquorum_config::{Draft, write_whole};
use sha2::{Digest as _, Sha256};

use super::document::{Document, SamplesFile};
use super::{Record, RecordError, samples};

/// Mode of a record: who compares it need not be who measured.
const READABLE: u32 = 0o644;

/// Largest JSON, bytes: a record with hundreds of series has less.
const JSON_MAX: u64 = 16 << 20;

/// Largest compressed samples, bytes: some 50 million samples.
const SAMPLES_MAX: u64 = 512 << 20;

/// Writes a file whole or not at all; what was there before is replaced at the end.
///
/// # Errors
/// [`RecordError::Full`] when there is no room, else [`RecordError::Write`].
pub fn write_file(path: &Path, text: &str) -> Result<(), RecordError> {
    write_whole(path, READABLE, text).map_err(|error| RecordError::write(path, error))
}

/// Where the samples of the record `path` are: `NAME.samples.csv.gz` beside `NAME.json`.
pub fn samples_path(path: &Path) -> PathBuf {
    path.with_extension("samples.csv.gz")
}

impl Record {
    /// Writes both files; what was there before is replaced at the end or not at all.
    ///
    /// # Errors
    /// [`RecordError::Full`] when there is no room, [`RecordError::Field`] for a record that cannot be written (a name
    /// with a comma, a sample that is no number), else [`RecordError::Write`].
    pub fn save(&self, path: &Path) -> Result<(), RecordError> {
        let samples_path = samples_path(path);
        let file = samples_path.file_name().map(|name| name.to_string_lossy().into_owned());
        let mut described =
            SamplesFile { file: file.unwrap_or_default(), sha256: String::new(), rows: self.rows() };
        // Before anything is written: a record that cannot be read again is refused.
        Document::of(path, self, described.clone())?;
        let samples_file = temporary(&samples_path, |out| samples::write(self, out))?;
        described.sha256 = digest(&read(samples_file.temporary(), SAMPLES_MAX)?);
        let document = Document::of(path, self, described)?;
        let json_file = temporary(path, |out| {
            serde_json::to_writer_pretty(&mut *out, &document)?;
            out.write_all(b"\n")
        })?;
        samples_file.publish().map_err(|error| RecordError::write(&samples_path, error))?;
        json_file.publish().map_err(|error| RecordError::write(path, error))
    }

    /// Reads both files and checks one against the other.
    ///
    /// # Errors
    /// Every kind of [`RecordError`] but those of writing.
    pub fn load(path: &Path) -> Result<Self, RecordError> {
        let json = read(path, JSON_MAX)?;
        let document: Document = serde_json::from_slice(&json).map_err(|error| RecordError::Json {
            path: path.to_owned(),
            line: error.line(),
            column: error.column(),
            message: said(&error),
        })?;
        document.check(path)?;
        let SamplesFile { file, sha256, rows } = &document.samples;
        if Path::new(file).components().count() != 1 || Path::new(file).file_name().is_none() {
            let message = format!("is {file:?}; expected the name of a file in the same folder");
            return Err(RecordError::field(path, "samples.file", message));
        }
        let samples_path = path.with_file_name(file);
        let compressed = read(&samples_path, SAMPLES_MAX)?;
        let found = digest(&compressed);
        if found != *sha256 {
            let message = format!(
                "is {sha256}, but {} has {found}: it was cut, edited or belongs to another record",
                samples_path.display()
            );
            return Err(RecordError::field(path, "samples.sha256", message));
        }
        let mut record = document.record();
        samples::read(&samples_path, compressed.as_slice(), *rows, &mut record)?;
        document.check_samples(path, &record)?;
        Ok(record)
    }

    fn rows(&self) -> u64 {
        let count = |series: &super::Series| u64::try_from(series.samples.len()).unwrap_or(u64::MAX);
        self.series.iter().map(count).sum()
    }
}

/// The message of an error without its place, which is named before it.
fn said(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(message, _)| message.to_owned())
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, RecordError> {
    let failed = |error| RecordError::read(path, error);
    let mut bytes = Vec::new();
    let count = File::open(path).map_err(failed)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(count).is_ok_and(|count| count <= limit) {
        return Ok(bytes);
    }
    Err(failed(std::io::Error::other(format!("larger than {} MiB", limit >> 20))))
}

/// A whole, synced file beside `path`; it goes away when it is not given its name.
fn temporary(path: &Path, fill: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<Draft, RecordError> {
    Draft::new(path, READABLE, fill).map_err(|error| RecordError::write(path, error))
}
