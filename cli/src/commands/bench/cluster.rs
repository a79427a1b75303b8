//! Figures of the whole cluster: commit, assignment, throughput, election.

use std::path::Path;
use std::time::{Duration, Instant};

use farquorum_baseline::Series;
use farquorum_config::ShapeKeys;
use farquorum_proto::v1::{TaskSpec, TaskState};
use futures::StreamExt as _;

use super::{fsync, millis};
use crate::commands::cluster::Connection;
use crate::failure::Failure;
use crate::sim::{self, Folder, Request, Response};

/// Requests under way at once in both throughput runs.
const OUTSTANDING: usize = 4096;

/// Bytes of a value.
const VALUE_BYTES: usize = 256;

/// How long a new leader is waited for.
const ELECTION_LIMIT: Duration = Duration::from_secs(60);

/// Hands leadership to the node beside the operator, so that a client's way to the leader costs nothing.
pub(crate) async fn lead_from_aws(connection: &Connection) -> Result<(), Failure> {
    let nodes = &connection.context.nodes;
    let node =
        nodes.iter().find(|node| node.cloud == "aws").ok_or_else(|| Failure::failed("no node in aws"))?;
    if connection.leader().await.as_deref() != Some(&node.name) {
        connection.cluster.cluster().transfer_leader(node.id).await?;
    }
    Ok(())
}

/// One client, one write after another, and what a commit cannot be faster than.
pub(crate) async fn commit(
    connection: &Connection,
    count: usize,
    folder: &Path,
) -> Result<Vec<Series>, Failure> {
    let mut commit = Series::new("commit, one client, nearest peer at 50 ms", "ms");
    for number in 0..count {
        let begun = Instant::now();
        connection.cluster.kv().set("bench/commit", number.to_string()).await?;
        commit.add(millis(begun.elapsed()));
    }
    Ok(vec![commit, fsync(folder)?])
}

/// From the submit of a task to an idle worker's report that it began, which came back to the leader: an assignment
/// and half a round trip, on the leader's clock.
pub(crate) async fn assignment(connection: &Connection) -> Result<Series, Failure> {
    let mut series = Series::new("submit to start on an idle worker", "ms");
    for _ in 0..30 {
        let spec = TaskSpec {
            kind: "command".to_owned(),
            payload: r#"{"argv": ["true"]}"#.into(),
            cloud_affinity: "aws".to_owned(),
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
    seconds: u64,
) -> Result<Vec<Series>, Failure> {
    let before = links(folder)?;
    let mut figures = Vec::new();
    for (name, delay_ms) in
        [("writes, 4,096 outstanding, RTT 50 ms", 25.0), ("writes, 4,096 outstanding, RTT 0 ms", 0.0)]
    {
        for (from, to, _) in &before {
            set_delay(folder, from, to, delay_ms)?;
        }
        let mut series = Series::new(name, "1/s");
        series.add(writes_per_second(connection, seconds).await?);
        figures.push(series);
    }
    for (from, to, delay_ms) in &before {
        set_delay(folder, from, to, *delay_ms)?;
    }
    let rate = |place: usize| {
        figures.get(place).and_then(|series: &Series| series.samples.first()).map(|sample| sample.value)
    };
    if let (Some(far), Some(near)) = (rate(0), rate(1)) {
        let mut ratio = Series::new("throughput at 50 ms against 0 ms", "share");
        ratio.add(far / near);
        figures.push(ratio);
    }
    Ok(figures)
}

async fn writes_per_second(connection: &Connection, seconds: u64) -> Result<f64, Failure> {
    let begun = Instant::now();
    let warm = Duration::from_secs(2);
    let until = warm + Duration::from_secs(seconds);
    let value = bytes::Bytes::from(vec![b'v'; VALUE_BYTES]);
    let write = |number: usize| {
        let value = value.clone();
        async move {
            let written = connection.cluster.kv().set(format!("bench/{}", number % 10_000), value).await;
            (written.is_ok(), begun.elapsed())
        }
    };
    let mut writes = futures::stream::iter(0_usize..).map(write).buffer_unordered(OUTSTANDING);
    let (mut done, mut failed) = (0_u32, 0_u32);
    while let Some((ok, at)) = writes.next().await {
        if at > until {
            break;
        }
        match ok {
            true if at > warm => done += 1,
            true => {}
            false => failed += 1,
        }
    }
    if failed > done / 100 {
        return Err(Failure::failed(format!("{failed} writes failed beside {done}")));
    }
    Ok(f64::from(done) / Duration::from_secs(seconds).as_secs_f64())
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
    kills: usize,
) -> Result<Vec<Series>, Failure> {
    let mut elected = Series::new("kill of the leader to the next leader", "ms");
    let mut written = Series::new("kill of the leader to the next write", "ms");
    for _ in 0..kills {
        let old = wait_for_leader(connection, None).await?;
        let begun = Instant::now();
        sim::ask(&folder.socket()?, &Request::Kill { host: old.clone() })?;
        let leads = async {
            wait_for_leader(connection, Some(&old)).await?;
            Ok::<_, Failure>(millis(begun.elapsed()))
        };
        let writes = async {
            while connection.cluster.kv().set("bench/after", "1").await.is_err()
                && begun.elapsed() < ELECTION_LIMIT
            {}
            Ok::<_, Failure>(millis(begun.elapsed()))
        };
        let (leader, write) = tokio::try_join!(leads, writes)?;
        elected.add(leader);
        written.add(write);
        sim::ask(&folder.socket()?, &Request::Restart { host: old.clone() })?;
        wait_for_followers(connection, 3).await?;
    }
    Ok(vec![elected, written])
}

async fn wait_for_leader(connection: &Connection, not: Option<&str>) -> Result<String, Failure> {
    let until = Instant::now() + ELECTION_LIMIT;
    while Instant::now() < until {
        let alive = connection.context.nodes.iter().filter(|node| Some(node.name.as_str()) != not);
        let api = connection.cluster.cluster();
        let ask = alive.map(|node| async move { (node.name.clone(), api.status_of(&node.name).await) });
        for (name, answer) in futures::future::join_all(ask).await {
            let leads = |status: farquorum_proto::v1::NodeStatus| {
                status.role() == farquorum_proto::v1::RaftRole::Leader
            };
            if answer.is_ok_and(|answer| answer.node.is_some_and(leads)) {
                return Ok(name);
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Err(Failure::failed("no node led for 60 s"))
}

async fn wait_for_followers(connection: &Connection, nodes: usize) -> Result<(), Failure> {
    let until = Instant::now() + ELECTION_LIMIT;
    while Instant::now() < until {
        let statuses: Vec<_> =
            connection.statuses().await.into_iter().filter_map(|(_, status)| status.ok()).collect();
        let newest = statuses.iter().map(|status| status.committed).max().unwrap_or_default();
        if statuses.len() == nodes
            && statuses.iter().all(|status| status.applied + 10 >= newest && status.leader_id > 0)
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(Failure::failed("the killed node did not come back within 60 s"))
}
