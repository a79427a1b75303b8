//! `wordcount-map`: counts one split and writes one sorted object per partition that got a word.

use farquorum_core::work::{Map, Object, Report};
use farquorum_storage::join;

use super::words::WordCounter;
use crate::tasks::object::DigestWriter;
use crate::tasks::{Context, SPLIT_BYTES_MAX, TaskError, blocking, from_cbor, to_cbor};

/// Most partitions of a job.
const PARTITIONS_MAX: u32 = 1000;

pub(in crate::tasks) async fn map(context: Context, payload: Vec<u8>) -> Result<Vec<u8>, TaskError> {
    let work: Map = from_cbor("wordcount-map", &payload)?;
    check(&work)?;
    let end = work.input.offset.checked_add(work.input.length);
    let end =
        end.ok_or_else(|| TaskError::fatal("wordcount-map: offset and length are past any object's end"))?;

    let mut counter = WordCounter::default();
    let mut reader = context.store.reader(&work.input.url, work.input.offset..end);
    while let Some(piece) = reader.next().await? {
        counter = blocking(move || {
            counter.feed(&piece);
            counter
        })
        .await?;
    }
    let parts = blocking(move || counter.finish(work.reducers)).await?;

    let prefix = context.prefix(&work.output);
    let mut objects = Vec::with_capacity(parts.len());
    for (partition, words) in parts {
        objects.push(write_part(&context, &prefix, partition, &words).await?);
    }
    let bytes_out = objects.iter().map(|object| object.length).sum();
    to_cbor(&Report { objects, bytes_in: work.input.length, bytes_out })
}

fn check(work: &Map) -> Result<(), TaskError> {
    if !(1..=PARTITIONS_MAX).contains(&work.reducers) {
        return Err(TaskError::fatal(format!(
            "wordcount-map: reducers {}: 1 to {PARTITIONS_MAX}",
            work.reducers
        )));
    }
    if work.input.length > SPLIT_BYTES_MAX {
        let length = work.input.length;
        let text = format!(
            "wordcount-map: a split of {length} bytes of {}: at most {SPLIT_BYTES_MAX}",
            work.input.url
        );
        return Err(TaskError::fatal(text));
    }
    Ok(())
}

async fn write_part(
    context: &Context,
    prefix: &str,
    partition: u32,
    words: &[(String, u64)],
) -> Result<Object, TaskError> {
    let mut writer =
        DigestWriter::new(&context.store, join(prefix, &format!("part-{partition}")), partition)?;
    for (word, count) in words {
        writer.write(format!("{word}\t{count}\n").as_bytes()).await?;
    }
    writer.finish().await
}
