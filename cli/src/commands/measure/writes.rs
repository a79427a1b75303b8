//! Writes: how long one takes, how many are done in a second.

use std::time::{Duration, Instant};

use farquorum_baseline::Series;
use futures::StreamExt as _;

use super::take::{Take, millis};
use crate::commands::cluster::Connection;
use crate::failure::Failure;
use crate::output;

/// Bytes of a value.
const VALUE_BYTES: usize = 256;

/// Before throughput counts: connections, windows and batches have found their size by then.
const WARM_UP: Duration = Duration::from_secs(2);

/// Keys that throughput writes to, for each write under way: no two of them meet.
const KEYS_EACH: usize = 2;

/// Keys of single writes.
const KEYS: [&str; 4] = ["measure/commit", "measure/read", "measure/before", "measure/after"];

/// Longest time for the deletion of one key that was measured with.
const TIDY_MAX: Duration = Duration::from_secs(5);

/// Deletes every key that a measurement with so many writes under way may have written. What cannot be deleted now stays:
/// the measurement is whole without it.
pub(super) async fn tidy(connection: &Connection, outstanding: usize) {
    let numbered = (0..outstanding * KEYS_EACH).map(key);
    let keys = KEYS.iter().map(|key| (*key).to_owned()).chain(numbered);
    let delete = |key: String| async move { connection.cluster.kv().delete(key).await.is_ok() };
    let deletes = futures::stream::iter(keys).map(delete).buffer_unordered(outstanding);
    let deleted = deletes.all(|deleted| async move { deleted });
    if !tokio::time::timeout(TIDY_MAX, deleted).await.unwrap_or(false) {
        output::say_aside("warning: some keys below measure/ are left in the store");
    }
}

/// Key of a write among many.
fn key(number: usize) -> String {
    format!("measure/{number}")
}

/// One client, one write after another.
pub(crate) async fn commit(connection: &Connection, take: &Take, count: u32) -> Result<Series, Failure> {
    let mut series = Series::new("commit", "ms");
    for number in 0..count {
        let begun = Instant::now();
        connection.cluster.kv().set("measure/commit", number.to_string()).await?;
        take.push(&mut series, millis(begun.elapsed()));
        take.advance();
    }
    Ok(series)
}

/// Writes per second with this many under way, one sample for each second.
pub(crate) async fn throughput(
    connection: &Connection,
    take: &Take,
    seconds: u32,
    outstanding: usize,
) -> Result<Series, Failure> {
    let mut series = Series::new("throughput", "1/s");
    let begun = Instant::now();
    let value = bytes::Bytes::from(vec![b'v'; VALUE_BYTES]);
    let write = |number: usize| {
        let value = value.clone();
        let key = key(number % (outstanding * KEYS_EACH).max(1));
        async move { connection.cluster.kv().set(key, value).await.is_ok() }
    };
    let mut writes = futures::stream::iter(0_usize..).map(write).buffer_unordered(outstanding);
    let (mut done, mut failed, mut all) = (0_u32, 0_u32, 0_u32);
    let mut window = begun + WARM_UP;
    for second in 0..=seconds {
        let until = begun + WARM_UP + Duration::from_secs(second.into());
        while let Ok(Some(ok)) = tokio::time::timeout_at(until.into(), writes.next()).await {
            if ok { done += 1 } else { failed += 1 }
        }
        // What was done in second 0 is the warm-up's.
        if second > 0 {
            take.push(&mut series, f64::from(done) / window.elapsed().as_secs_f64());
            take.advance();
            all += done;
        }
        (done, window) = (0, Instant::now());
    }
    if failed > all / 100 {
        return Err(Failure::failed(format!("{failed} writes failed beside {all}")));
    }
    Ok(series)
}
