//! The object store inside a simulation, from the test's own process; a job's output against that of one process.

use farquorum_storage::{StorageSettings, Store};

use super::{Sim, text};

/// Largest part that a test reads.
const PART_BYTES_MAX: u64 = 64 << 20;

impl Sim {
    /// The simulation's object store. Only inside a runtime.
    pub(crate) fn store(&self) -> Store {
        let storage = self.context().storage.unwrap();
        let bucket = storage.url.strip_prefix("s3://").unwrap();
        Store::open(&StorageSettings::s3(storage.endpoint.unwrap(), bucket, storage.credentials)).unwrap()
    }

    /// The published parts of a word count together, in order of words, are what a single process counts.
    pub(crate) async fn equals_the_reference(&self, parts: &[String], input: &str) {
        let store = self.store();
        let mut lines = Vec::new();
        for url in parts {
            let part = text(&store.get(url, PART_BYTES_MAX).await.unwrap());
            lines.extend(part.lines().map(str::to_owned));
        }
        lines.sort_by(|one, other| word(one).cmp(word(other)));
        let reference = self.ok(&["job", "reference", "--input", input]);
        assert!(reference.lines().count() > 100, "the reference counted next to nothing: {reference}");
        assert_eq!(lines.join("\n") + "\n", reference);
    }
}

/// The word of a line `word<TAB>count`.
fn word(line: &str) -> &str {
    line.split('\t').next().unwrap_or_default()
}
