//! Round trips between all pairs of nodes, as the nodes measure them on their open streams.

use std::collections::BTreeMap;
use std::time::Duration;

use farquorum_baseline::Series;
use farquorum_client::ContextNode;
use futures::future::try_join_all;

use super::take::Take;
use crate::commands::cluster::Connection;
use crate::failure::{Failure, Kind};

/// Longest time without any sample from a node: far beyond an election timeout, after which an unanswered probe is
/// told as such.
const STALL: Duration = Duration::from_secs(60);

/// Median round trip of the slowest link between two nodes, in milliseconds; 0 when no node knows any.
pub(super) async fn slowest_ms(connection: &Connection) -> u32 {
    let statuses = connection.statuses().await.into_iter().filter_map(|(_, status)| status.ok());
    let peers = statuses.flat_map(|status| status.peers);
    let us =
        peers.filter_map(|peer| peer.rtt_minute.map(|rtt| rtt.p50_us).or(peer.rtt_us)).max().unwrap_or(0);
    u32::try_from(us.div_ceil(1000)).unwrap_or(u32::MAX)
}

/// `count` probes from each node to each other, `every_ms` apart, at the same time. One series for each directed pair of clouds; of two
/// nodes in the same clouds, together.
pub(super) async fn matrix(
    connection: &Connection,
    take: &Take,
    count: u32,
    every_ms: u32,
) -> Result<Vec<Series>, Failure> {
    let nodes = &connection.context.nodes;
    let first = nodes.first().map(|node| node.name.as_str());
    let from = nodes.iter().map(|node| {
        // The bar follows one of the nodes: all are as fast.
        let leads = first == Some(node.name.as_str());
        from_node(connection, take, node, (count, every_ms), leads)
    });
    let mut by_pair: BTreeMap<(Option<String>, Option<String>), Series> = BTreeMap::new();
    for series in try_join_all(from).await?.into_iter().flatten() {
        match by_pair.entry((series.from.clone(), series.to.clone())) {
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(series);
            }
            std::collections::btree_map::Entry::Occupied(mut place) => merge(place.get_mut(), series),
        }
    }
    let mut all: Vec<Series> = by_pair.into_values().collect();
    all.iter_mut().for_each(|series| series.samples.sort_by(|a, b| a.at_s.total_cmp(&b.at_s)));
    Ok(all)
}

/// Adds the samples of a later stretch.
pub(super) fn merge(series: &mut Series, more: Series) {
    series.samples.extend(more.samples);
    series.lost = series.lost.zip(more.lost).map(|(before, more)| before + more);
}

async fn from_node(
    connection: &Connection,
    take: &Take,
    node: &ContextNode,
    (count, every_ms): (u32, u32),
    leads: bool,
) -> Result<Vec<Series>, Failure> {
    let api = connection.cluster.cluster();
    let (name, cloud) = (&node.name, &node.cloud);
    let broken = |error: &dyn std::fmt::Display| {
        Failure::new(Kind::NotAvailable, format!("{name} stopped to tell its round trips: {error}"))
    };
    let mut stream = api.probe_peers(name, count, every_ms).await?;
    let begun_s = take.at_s();
    let mut to: BTreeMap<String, Series> = BTreeMap::new();
    let mut seen = 0;
    loop {
        let next = tokio::time::timeout(STALL, stream.message()).await;
        let next = next.map_err(|_| broken(&format!("nothing for {STALL:?}")))?;
        let Some(sample) = next.map_err(|status| broken(&status.message()))? else { break };
        let series = to.entry(sample.peer_cloud.clone()).or_insert_with(|| Series {
            lost: Some(0),
            ..Series::between("rtt", "ms", cloud, &sample.peer_cloud)
        });
        match sample.rtt_us.map(Duration::from_micros) {
            Some(rtt) => {
                let at = Duration::from_micros(sample.sent_us) + rtt;
                take.push_at(series, begun_s + at.as_secs_f64(), super::take::millis(rtt));
            }
            None => series.lost = series.lost.map(|lost| lost + 1),
        }
        if leads && sample.number >= seen {
            seen = sample.number + 1;
            take.advance();
        }
    }
    Ok(to.into_values().collect())
}
