//! Writes: how long one takes, how many are done in a second.

use std::time::{Duration, Instant};

use farquorum_baseline::Series;
use futures::StreamExt as _;

use super::take::{Take, millis};
use crate::commands::cluster::Connection;
use crate::failure::Failure;

/// Bytes of a value.
const VALUE_BYTES: usize = 256;

/// Before throughput counts: connections, windows and batches have found their size by then.
const WARM_UP: Duration = Duration::from_secs(2);

/// Keys that throughput writes to: enough for no two writes under way to meet.
const KEYS: usize = 10_000;

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
        async move { connection.cluster.kv().set(format!("measure/{}", number % KEYS), value).await.is_ok() }
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
