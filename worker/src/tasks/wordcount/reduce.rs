//! `wordcount-reduce`: merges what the map tasks wrote for one partition into one sorted object.

use farquorum_core::work::{Reduce, Report};
use farquorum_storage::{PIECE_BYTES, join};

use super::merge::Merge;
use crate::tasks::object::{DigestReader, DigestWriter};
use crate::tasks::{Context, TaskError, from_cbor, to_cbor};

/// Bytes that the pieces of all inputs may take together.
const BUFFER_BYTES: u64 = 64 << 20;
/// Least piece: below it, requests cost more than they carry.
const PIECE_BYTES_MIN: u64 = 32 << 10;

pub(in crate::tasks) async fn reduce(context: Context, payload: Vec<u8>) -> Result<Vec<u8>, TaskError> {
    let work: Reduce = from_cbor("wordcount-reduce", &payload)?;
    let bytes_in = work.inputs.iter().map(|input| input.length).sum();
    let inputs = u64::try_from(work.inputs.len()).unwrap_or(u64::MAX);
    let piece = BUFFER_BYTES.checked_div(inputs).unwrap_or(PIECE_BYTES).clamp(PIECE_BYTES_MIN, PIECE_BYTES);
    let readers = work.inputs.into_iter().map(|input| DigestReader::new(&context.store, input, piece));
    let mut merge = Merge::new(readers.collect()).await?;

    let name = format!("part-{}", work.partition);
    let url = join(&context.prefix(&work.output), &name);
    let mut writer = DigestWriter::new(&context.store, url, work.partition)?;
    while let Some((mut line, count)) = merge.next().await? {
        line.extend_from_slice(format!("\t{count}\n").as_bytes());
        writer.write(&line).await?;
    }
    // Only here: every input was read to its end and its digest was right.
    let object = writer.finish().await?;
    let bytes_out = object.length;
    to_cbor(&Report { objects: vec![object], bytes_in, bytes_out })
}
