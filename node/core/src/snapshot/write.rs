//! Writing: a few hundred kilobytes at a time, so that the sender's memory does not grow with the state.

use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use super::{Header, Item, MAGIC, VERSION};
use crate::codec;
use crate::ids::{JobId, TaskId, WorkerId};
use crate::state::State;

/// A chunk ends with the record that makes it this long.
const CHUNK_BYTES: usize = 256 * 1024;

/// Where the writer is: in front of a table, or behind one of its records.
#[derive(Clone, Debug)]
enum Cursor {
    Header,
    Jobs(JobId),
    Workers(Option<WorkerId>),
    Tasks(TaskId),
    Kv(Option<Arc<[u8]>>),
    End,
    Over,
}

/// The bytes of a snapshot in chunks. Holds its own frozen view of the state.
#[derive(Clone, Debug)]
pub struct SnapshotChunks {
    state: State,
    cursor: Cursor,
}

impl State {
    /// The snapshot of this state as it is now. O(1); the chunks are made as they are taken.
    pub fn write_snapshot(&self) -> SnapshotChunks {
        SnapshotChunks { state: self.clone(), cursor: Cursor::Header }
    }
}

impl Iterator for SnapshotChunks {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK_BYTES && !matches!(self.cursor, Cursor::Over) {
            self.cursor = self.step(&mut chunk);
        }
        (!chunk.is_empty()).then_some(chunk)
    }
}

impl SnapshotChunks {
    /// Writes the header, or the rest of a table as far as the chunk has room; returns where to go on.
    fn step(&self, chunk: &mut Vec<u8>) -> Cursor {
        let tables = &self.state.tables;
        match &self.cursor {
            Cursor::Header => {
                chunk.extend(codec::encode(&header(&self.state)));
                Cursor::Jobs(JobId(0))
            }
            Cursor::Jobs(last) => {
                let rest = tables.jobs.range((Excluded(*last), Unbounded));
                let items = rest.map(|(id, job)| (*id, Item::Job(job.as_ref().clone())));
                fill(chunk, items).map_or(Cursor::Workers(None), Cursor::Jobs)
            }
            Cursor::Workers(last) => {
                let rest = tables
                    .workers
                    .range::<_, WorkerId>((last.as_ref().map_or(Unbounded, Excluded), Unbounded));
                let items = rest.map(|(id, worker)| (id.clone(), Item::Worker(worker.as_ref().clone())));
                fill(chunk, items).map_or(Cursor::Tasks(TaskId(0)), |id| Cursor::Workers(Some(id)))
            }
            Cursor::Tasks(last) => {
                let rest = tables.tasks.range((Excluded(*last), Unbounded));
                let items = rest.map(|(id, task)| (*id, Item::Task(task.as_ref().clone())));
                fill(chunk, items).map_or(Cursor::Kv(None), Cursor::Tasks)
            }
            Cursor::Kv(last) => {
                let rest =
                    tables.kv.range::<_, [u8]>((last.as_deref().map_or(Unbounded, Excluded), Unbounded));
                let items =
                    rest.map(|(key, entry)| (key.clone(), Item::Kv(key.to_vec(), entry.as_ref().clone())));
                fill(chunk, items).map_or(Cursor::End, |key| Cursor::Kv(Some(key)))
            }
            Cursor::End => {
                chunk.extend(codec::encode(&Item::End(self.state.hash().0)));
                Cursor::Over
            }
            Cursor::Over => Cursor::Over,
        }
    }
}

/// Appends items until the chunk is full: the key of the last one. `None` when all fitted.
fn fill<K>(chunk: &mut Vec<u8>, items: impl Iterator<Item = (K, Item)>) -> Option<K> {
    for (key, item) in items {
        chunk.extend(codec::encode(&item));
        if chunk.len() >= CHUNK_BYTES {
            return Some(key);
        }
    }
    None
}

fn header(state: &State) -> Header {
    let tables = &state.tables;
    let counts = [tables.jobs.len(), tables.workers.len(), tables.tasks.len(), tables.kv.len()];
    Header {
        magic: MAGIC.to_owned(),
        version: VERSION,
        applied: state.applied,
        now: state.now,
        last_task: state.last_task,
        last_job: state.last_job,
        counts: counts.map(|count| u64::try_from(count).unwrap_or(u64::MAX)),
    }
}
