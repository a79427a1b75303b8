//! Reading: strict, since the bytes came over a network or from a disk. A state comes out only when version, counts
//! and hash fit.

use minicbor::{Decode, Decoder};

use super::{Header, Item, MAGIC, SnapshotError, VERSION};
use crate::hash::StateHash;
use crate::state::{State, Tables};

/// Names of `Header::counts`, in its order.
const TABLES: [&str; 4] = ["jobs", "workers", "tasks", "keys"];

impl State {
    /// The state that was written.
    ///
    /// # Errors
    /// What is wrong with the bytes, and where; never a state that is not wholly the one that was written.
    pub fn read_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut reader = Reader { decoder: Decoder::new(bytes), length: bytes.len() };
        let header = reader.header()?;
        let mut tables = Tables::default();
        let expected = loop {
            match reader.item()? {
                Item::Job(job) => tables.put_job(job),
                Item::Worker(worker) => tables.put_worker(worker),
                Item::Task(task) => {
                    tables.put_task(task);
                }
                Item::Kv(key, entry) => tables.put_kv(&key, entry),
                Item::End(hash) => break StateHash(hash),
            }
        };
        if reader.decoder.position() != bytes.len() {
            return Err(reader.damaged("bytes follow the end"));
        }
        check_counts(&header, &tables)?;
        let Header { applied, now, last_task, last_job, .. } = header;
        let state = Self { applied, now, last_task, last_job, tables };
        let got = state.hash();
        if got != expected {
            return Err(SnapshotError::Hash { expected, got });
        }
        Ok(state)
    }
}

struct Reader<'b> {
    decoder: Decoder<'b>,
    length: usize,
}

impl<'b> Reader<'b> {
    fn header(&mut self) -> Result<Header, SnapshotError> {
        let header: Header = self.decode()?;
        if header.magic != MAGIC {
            return Err(self.damaged("it does not begin like a snapshot"));
        }
        if header.version != VERSION {
            return Err(SnapshotError::Version { got: header.version });
        }
        Ok(header)
    }

    fn item(&mut self) -> Result<Item, SnapshotError> {
        self.decode()
    }

    fn decode<T: Decode<'b, ()>>(&mut self) -> Result<T, SnapshotError> {
        self.decoder.decode().map_err(|error| match error.to_string() {
            what if error.is_unknown_variant() => {
                SnapshotError::Unknown { at: self.decoder.position(), what }
            }
            what => self.damaged(&what),
        })
    }

    fn damaged(&self, what: &str) -> SnapshotError {
        let (at, length) = (self.decoder.position(), self.length);
        SnapshotError::Damaged { at, length, what: what.to_owned() }
    }
}

fn check_counts(header: &Header, tables: &Tables) -> Result<(), SnapshotError> {
    let got = [tables.jobs.len(), tables.workers.len(), tables.tasks.len(), tables.kv.len()];
    for ((what, expected), got) in TABLES.into_iter().zip(header.counts).zip(got) {
        let got = u64::try_from(got).unwrap_or(u64::MAX);
        if got != expected {
            return Err(SnapshotError::Count { what, expected, got });
        }
    }
    Ok(())
}
