//! Changes of the leader: handed over, or killed. The two are different series: a transfer needs no timeout.

use std::path::Path;
use std::time::{Duration, Instant};

use farquorum_baseline::Series;
use farquorum_client::ContextNode;
use farquorum_proto::v1::{NodeStatus, RaftRole};

use super::take::{Take, millis};
use crate::commands::cluster::Connection;
use crate::failure::Failure;
use crate::sim::{self, Request};

/// How long a new leader, or a restarted node, is waited for.
const LIMIT: Duration = Duration::from_secs(60);

/// Between two looks for a new leader; adds at most this to an election of half a second or more.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Between two looks whether a restarted node has caught up.
const CATCH_UP_EVERY: Duration = Duration::from_millis(50);

/// Entries that a node which has caught up may be behind: what is written while it is asked.
const BEHIND_MAX: u64 = 10;

/// Hands leadership to a node of this cloud, so that a client there has no way to the leader.
pub(crate) async fn lead_from(connection: &Connection, cloud: &str) -> Result<(), Failure> {
    let inside = |node: &&ContextNode| node.cloud == cloud;
    let node = connection.context.nodes.iter().find(inside).ok_or_else(|| {
        let mut clouds: Vec<&str> = connection.context.nodes.iter().map(|node| node.cloud.as_str()).collect();
        clouds.dedup();
        Failure::usage(format!("no node is in cloud {cloud:?}; nodes are in: {}", clouds.join(", ")))
    })?;
    let leader = wait_for_leader(connection, None).await?;
    let leads = connection.context.nodes.iter().filter(inside).any(|inside| inside.name == leader);
    if !leads {
        connection.cluster.cluster().transfer_leader(node.id).await?;
    }
    Ok(())
}

/// The leader hands over to each of the others in turn: from the request to the answer that the next one leads.
pub(super) async fn transfers(connection: &Connection, take: &Take, count: u32) -> Result<Series, Failure> {
    let mut series = Series::new("transfer", "ms");
    for _ in 0..count {
        let old = wait_for_leader(connection, None).await?;
        let nodes = connection.context.nodes.iter();
        let next = nodes.clone().cycle().skip_while(|node| node.name != old).nth(1);
        let next = next.ok_or_else(|| Failure::failed("there is no other node to lead"))?;
        // Asked before, so that the way to the leader is known and the connection is open.
        connection.cluster.kv().set("measure/before", "1").await?;
        let begun = Instant::now();
        connection.cluster.cluster().transfer_leader(next.id).await?;
        take.push(&mut series, millis(begun.elapsed()));
        take.advance();
    }
    Ok(series)
}

/// Kills the leader of a simulation again and again: until another says that it leads (`election`), and until a write
/// is acknowledged (`election-write`).
pub(crate) async fn elections(
    connection: &Connection,
    control: &Path,
    take: &Take,
    count: u32,
) -> Result<Vec<Series>, Failure> {
    let mut elected = Series::new("election", "ms");
    let mut written = Series::new("election-write", "ms");
    let links = links(connection).await;
    for _ in 0..count {
        let old = wait_for_leader(connection, None).await?;
        let down = Down { control, host: old.clone() };
        let begun = Instant::now();
        sim::ask(control, &Request::Kill { host: old.clone() })?;
        let leads = async {
            wait_for_leader(connection, Some(&old)).await?;
            Ok::<_, Failure>(millis(begun.elapsed()))
        };
        let writes = async {
            while let Err(error) = connection.cluster.kv().set("measure/after", "1").await {
                if begun.elapsed() > LIMIT {
                    return Err(error.into());
                }
            }
            Ok::<_, Failure>(millis(begun.elapsed()))
        };
        let (leader, write) = tokio::try_join!(leads, writes)?;
        take.push(&mut elected, leader);
        take.push(&mut written, write);
        drop(down);
        wait_until_all_follow(connection, links).await?;
        take.advance();
    }
    Ok(vec![elected, written])
}

/// A host that was killed; started again when it is dropped, also by an interrupt in between.
struct Down<'a> {
    control: &'a Path,
    host: String,
}

impl Drop for Down<'_> {
    fn drop(&mut self) {
        if let Err(failure) = sim::ask(self.control, &Request::Restart { host: self.host.clone() }) {
            failure.print();
        }
    }
}

async fn wait_for_leader(connection: &Connection, not: Option<&str>) -> Result<String, Failure> {
    let until = Instant::now() + LIMIT;
    while Instant::now() < until {
        let alive = connection.context.nodes.iter().filter(|node| Some(node.name.as_str()) != not);
        let api = connection.cluster.cluster();
        let ask = alive.map(|node| async move { (node.name.clone(), api.status_of(&node.name).await) });
        for (name, answer) in futures::future::join_all(ask).await {
            let leads = |status: NodeStatus| status.role() == RaftRole::Leader;
            if answer.is_ok_and(|answer| answer.node.is_some_and(leads)) {
                return Ok(name);
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(Failure::failed(format!("no node led for {} s", LIMIT.as_secs())))
}

/// How many streams between nodes are open, of those that answer.
async fn links(connection: &Connection) -> usize {
    let statuses = connection.statuses().await;
    statuses.iter().filter_map(|(_, status)| status.as_ref().ok()).map(open_links).sum()
}

fn open_links(status: &NodeStatus) -> usize {
    status.peers.iter().filter(|peer| peer.connected).count()
}

/// Waits until the killed node has caught up, and until as many streams are open as before: the next block's probes
/// would count as lost.
async fn wait_until_all_follow(connection: &Connection, links: usize) -> Result<(), Failure> {
    let until = Instant::now() + LIMIT;
    while Instant::now() < until {
        let statuses: Vec<_> =
            connection.statuses().await.into_iter().filter_map(|(_, status)| status.ok()).collect();
        let newest = statuses.iter().map(|status| status.committed).max().unwrap_or_default();
        let follows = |status: &NodeStatus| status.applied + BEHIND_MAX >= newest && status.leader_id > 0;
        let all = statuses.len() == connection.context.nodes.len();
        let open: usize = statuses.iter().map(open_links).sum();
        if all && open >= links && statuses.iter().all(follows) {
            return Ok(());
        }
        tokio::time::sleep(CATCH_UP_EVERY).await;
    }
    Err(Failure::failed(format!("the killed node did not come back within {} s", LIMIT.as_secs())))
}
