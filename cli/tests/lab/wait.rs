//! Waiting for a condition, with a limit that only a broken product reaches.

use std::future::Future;
use std::time::{Duration, Instant};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks until `look` gives something; fails after `limit_s` seconds with what was awaited. Gives it and how long it
/// took.
pub(crate) async fn await_that<T, F: Future<Output = Option<T>>>(
    what: &str,
    limit_s: u64,
    mut look: impl FnMut() -> F,
) -> (T, Duration) {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return (found, start.elapsed());
        }
        assert!(start.elapsed() < Duration::from_secs(limit_s), "not within {limit_s} s: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
