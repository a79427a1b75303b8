//! Reads, one after another: linearizable ones cost the leader a round trip to a majority, stale ones nothing.

use std::time::Instant;

use farquorum_baseline::Series;

use super::take::{Take, millis};
use crate::commands::cluster::Connection;
use crate::failure::Failure;

/// Both kinds in turn, at the node that answers writes.
pub(super) async fn both(connection: &Connection, take: &Take, count: u32) -> Result<Vec<Series>, Failure> {
    // So that there is something to read, and the client knows the leader.
    connection.cluster.kv().set("measure/read", "1").await?;
    let mut kinds = [(Series::new("read", "ms"), false), (Series::new("read-stale", "ms"), true)];
    for _ in 0..count {
        for (series, stale) in &mut kinds {
            let begun = Instant::now();
            connection.cluster.kv().get("measure/read", *stale).await?;
            take.push(series, millis(begun.elapsed()));
        }
        take.advance();
    }
    Ok(kinds.map(|(series, _)| series).into())
}
