//! A client that writes all the time, to see for how long nobody can.

use std::time::Duration;

use farquorum_client::Cluster;
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Between two writes: fine enough to see a window of a few hundred milliseconds.
const EVERY: Duration = Duration::from_millis(20);

/// One write's limit: short, so that a write to a dead leader is tried again elsewhere.
const LIMIT: Duration = Duration::from_secs(10);

/// What the writer saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Window {
    /// Writes that were acknowledged.
    pub(crate) acknowledged: u64,
    /// Longest time between two acknowledgements, ms.
    pub(crate) longest_ms: u128,
}

/// Writes one key again and again.
pub(crate) struct Writer {
    cluster: Cluster,
}

impl Writer {
    /// Over a connected cluster.
    pub(crate) fn new(cluster: Cluster) -> Self {
        Self { cluster }
    }

    /// Writes until it is stopped.
    pub(crate) async fn run(self, stop: CancellationToken) -> Window {
        let mut window = Window::default();
        let mut last: Option<Instant> = None;
        while !stop.is_cancelled() {
            let kv = self.cluster.kv();
            let write = kv.set("demo/heartbeat", window.acknowledged.to_string());
            if let Ok(Ok(_)) = tokio::time::timeout(LIMIT, write).await {
                window.acknowledged += 1;
                let now = Instant::now();
                let gap = last.map_or(Duration::ZERO, |last| now - last);
                window.longest_ms = window.longest_ms.max(gap.as_millis());
                last = Some(now);
            }
            tokio::time::sleep(EVERY).await;
        }
        window
    }
}
