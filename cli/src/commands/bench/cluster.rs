//! Figures of the whole cluster: commit, assignment, throughput, election.

use std::path::Path;
use std::time::Duration;

use farquorum_baseline::Series;
use farquorum_config::ShapeKeys;
use farquorum_proto::v1::{TaskSpec, TaskState};

use super::fsync;
use crate::commands::cluster::Connection;
use crate::commands::measure::{self, Take, millis};
use crate::failure::Failure;
use crate::sim::{self, Folder, Request, Response};

/// Requests under way at once in both throughput runs.
const OUTSTANDING: usize = 4096;

/// Cloud of the operator's host: a leader there costs a client no way.
const OPERATOR: &str = "aws";

/// One client, one write after another, and what a commit cannot be faster than.
pub(crate) async fn commit(
    connection: &Connection,
    count: u32,
    folder: &Path,
) -> Result<Vec<Series>, Failure> {
    measure::lead_from(connection, OPERATOR).await?;
    let commit = measure::commit(connection, &Take::alone(), count).await?;
    Ok(vec![named(commit, "commit, one client, nearest peer at 50 ms"), fsync(folder)?])
}

/// A series under the name by which the README knows it.
fn named(series: Series, name: &str) -> Series {
    Series { name: name.to_owned(), ..series }
}

/// From the submit of a task to an idle worker's report that it began, which came back to the leader: an assignment
/// and half a round trip, on the leader's clock.
pub(crate) async fn assignment(connection: &Connection) -> Result<Series, Failure> {
    let mut series = Series::new("submit to start on an idle worker", "ms");
    for _ in 0..30 {
        let spec = TaskSpec {
            kind: "command".to_owned(),
            payload: r#"{"argv": ["true"]}"#.into(),
            cloud_affinity: OPERATOR.to_owned(),
            ..TaskSpec::default()
        };
        let mut task = connection.cluster.tasks().submit(spec).await?.task.unwrap_or_default();
        while !matches!(task.state(), TaskState::Completed | TaskState::Failed) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            task = connection.cluster.tasks().get(task.id).await?.task.unwrap_or_default();
        }
        series.add(millis(Duration::from_millis(task.started_ms.saturating_sub(task.created_ms))));
    }
    Ok(series)
}

/// Writes per second with every pair of clouds at 50 ms, then at 0 ms: the same cluster, the same clients.
pub(crate) async fn throughput(
    folder: &Folder,
    connection: &Connection,
    seconds: u32,
) -> Result<Vec<Series>, Failure> {
    let before = links(folder)?;
    let mut figures = Vec::new();
    for (name, delay_ms) in
        [("writes, 4,096 outstanding, RTT 50 ms", 25.0), ("writes, 4,096 outstanding, RTT 0 ms", 0.0)]
    {
        for (from, to, _) in &before {
            set_delay(folder, from, to, delay_ms)?;
        }
        let writes = measure::throughput(connection, &Take::alone(), seconds, OUTSTANDING).await?;
        figures.push(named(writes, name));
    }
    for (from, to, delay_ms) in &before {
        set_delay(folder, from, to, *delay_ms)?;
    }
    let rate = |place: usize| figures.get(place).and_then(Series::quantiles).map(|quantiles| quantiles.p50);
    if let (Some(far), Some(near)) = (rate(0), rate(1)) {
        let mut ratio = Series::new("throughput at 50 ms against 0 ms", "share");
        ratio.add(far / near);
        figures.push(ratio);
    }
    Ok(figures)
}

fn links(folder: &Folder) -> Result<Vec<(String, String, f64)>, Failure> {
    let Response::Status(status) = sim::ask(&folder.socket()?, &Request::Status)? else {
        return Err(Failure::failed("the supervisor answered something else"));
    };
    let across = status.links.into_iter().filter(|link| link.from != link.to);
    Ok(across.map(|link| (link.from, link.to, link.delay_ms)).collect())
}

fn set_delay(folder: &Folder, from: &str, to: &str, delay_ms: f64) -> Result<(), Failure> {
    let change = Box::new(ShapeKeys { delay_ms: Some(delay_ms), ..ShapeKeys::default() });
    sim::ask(&folder.socket()?, &Request::Link { from: from.to_owned(), to: to.to_owned(), change })?;
    Ok(())
}

/// Kills the leader again and again: until another says that it leads, and until a write is acknowledged.
pub(crate) async fn elections(
    folder: &Folder,
    connection: &Connection,
    kills: u32,
) -> Result<Vec<Series>, Failure> {
    let series = measure::elections(connection, &folder.socket()?, &Take::alone(), kills).await?;
    let names = ["kill of the leader to the next leader", "kill of the leader to the next write"];
    Ok(series.into_iter().zip(names).map(|(series, name)| named(series, name)).collect())
}
