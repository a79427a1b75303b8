//! Snapshot data in chunks, each with a checksum, below a generation of their own. The record that names a generation
//! is written in one synced batch with everything that changes with it; so a crash between leaves the old snapshot
//! and some chunks without an owner, which the next snapshot deletes.

use rocksdb::{DB, Direction, IteratorMode, WriteBatch};

use super::super::record;
use super::contents::{Damage, checked, family};
use super::keys::{self, SnapshotRecord, chunk_key};

/// Bytes of one chunk: one write to the WAL, small enough that entries of another batch need not wait long for it.
pub(super) const CHUNK_BYTES: usize = 1 << 20;

/// Splits data into chunk records.
pub(super) fn chunks(generation: u64, data: &[u8]) -> impl Iterator<Item = ([u8; 12], Vec<u8>)> {
    (0_u32..).zip(data.chunks(CHUNK_BYTES)).map(move |(number, chunk)| {
        let key = chunk_key(generation, number);
        (key, record::seal(&key, chunk))
    })
}

/// Deletes the chunks of all generations but this one.
pub(super) fn delete_others(db: &DB, batch: &mut WriteBatch, generation: u64) -> Result<(), Damage> {
    let family = family(db, keys::SNAPSHOT)?;
    batch.delete_range_cf(family, chunk_key(0, 0), chunk_key(generation, 0));
    batch.delete_range_cf(family, chunk_key(generation.saturating_add(1), 0), [0xff; 12]);
    Ok(())
}

/// The data of a snapshot, checked chunk by chunk and as a whole.
pub(super) fn read(db: &DB, record: &SnapshotRecord) -> Result<Vec<u8>, Damage> {
    let place = || format!("snapshot at {}", record.index);
    let mut options = checked();
    options.set_iterate_upper_bound(chunk_key(record.generation.saturating_add(1), 0));
    let start = chunk_key(record.generation, 0);
    let from = IteratorMode::From(&start, Direction::Forward);
    let mut data = Vec::new();
    for (number, item) in (0_u32..).zip(db.iterator_cf_opt(family(db, keys::SNAPSHOT)?, options, from)) {
        let (key, value) = item.map_err(|error| Damage::new(place(), error))?;
        if *key != chunk_key(record.generation, number) {
            return Err(Damage::new(place(), format!("chunk {number} is missing")));
        }
        let chunk = record::open(&key, &value)
            .map_err(|error| Damage::new(place(), format!("chunk {number}: {error}")))?;
        data.extend_from_slice(chunk);
    }
    let bytes = u64::try_from(data.len()).unwrap_or(u64::MAX);
    if bytes != record.bytes || *blake3::hash(&data).as_bytes() != record.digest {
        let detail = format!("{bytes} bytes of {}, or another digest than when it was written", record.bytes);
        return Err(Damage::new(place(), detail));
    }
    Ok(data)
}
