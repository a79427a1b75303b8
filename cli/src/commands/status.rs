//! `farquorum status`: every node's own view, side by side.

use std::process::ExitCode;

use farquorum_proto::v1::{NodeStatus, PeerStatus, RaftRole};
use serde::Serialize;

use super::cluster::{Connection, Silence};
use crate::args::Global;
use crate::failure::{Failure, Kind};
use crate::output::{self, Show, rows};
use crate::runtime;

#[derive(Serialize)]
struct Status {
    cluster: String,
    leader: Option<String>,
    nodes: Vec<NodeRow>,
}

#[derive(Default, Serialize)]
struct NodeRow {
    name: String,
    id: u64,
    cloud: String,
    role: &'static str,
    /// Of the program that runs there, and how much of the log's language it knows.
    version: String,
    level: u32,
    term: u64,
    committed: u64,
    applied: u64,
    state_hash: String,
    uptime_ms: u64,
    tasks_pending: u64,
    tasks_active: u64,
    workers_healthy: u64,
    keys: u64,
    /// Round trips to the peers, ms.
    rtt_ms: Vec<Rtt>,
    error: Option<String>,
}

#[derive(Serialize)]
struct Rtt {
    to: String,
    /// Of the last probe.
    ms: f64,
    /// Of the probes of the last minute; none when none was answered in it, as the next two.
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    /// Answered probes in the last minute.
    probes: u64,
}

impl Show for Status {
    fn table(&self) -> String {
        let row = |node: &NodeRow| {
            if let Some(error) = &node.error {
                let mut row: [String; 10] = std::array::from_fn(|_| String::new());
                [row[0], row[2], row[9]] = [node.name.clone(), node.role.to_owned(), last_line(error)];
                return row;
            }
            [
                node.name.clone(),
                node.cloud.clone(),
                node.role.to_owned(),
                node.version.clone(),
                node.term.to_string(),
                node.committed.to_string(),
                node.applied.to_string(),
                node.keys.to_string(),
                node.workers_healthy.to_string(),
                String::new(),
            ]
        };
        let nodes = rows(
            ["NODE", "CLOUD", "ROLE", "VERSION", "TERM", "COMMITTED", "APPLIED", "KEYS", "WORKERS", ""],
            self.nodes.iter().map(row),
        );
        let none = if self.nodes.iter().all(|node| node.error.is_some()) { "unknown" } else { "none" };
        let leader = self.leader.as_deref().unwrap_or(none);
        let rtts = matrix(&self.nodes);
        format!(
            "cluster {}, leader {leader}\n\n{nodes}\n\nRTT of the last minute, ms (p50 / p99)\n\n{rtts}",
            self.cluster
        )
    }
}

/// Round trips from each node (rows) to each (columns); `-` where none is known.
fn matrix(nodes: &[NodeRow]) -> String {
    let cell = |from: &NodeRow, to: &NodeRow| {
        let rtt = from.rtt_ms.iter().find(|rtt| rtt.to == to.name);
        rtt.and_then(|rtt| Some(format!("{:.1} / {:.1}", rtt.p50_ms?, rtt.p99_ms?)))
            .unwrap_or_else(|| "-".to_owned())
    };
    let headings = std::iter::once("FROM \\ TO".to_owned()).chain(nodes.iter().map(|node| node.name.clone()));
    let row = |from: &NodeRow| {
        std::iter::once(from.name.clone()).chain(nodes.iter().map(|to| cell(from, to))).collect()
    };
    output::grid(headings.collect(), nodes.iter().map(row))
}

fn last_line(error: &str) -> String {
    error.lines().last().unwrap_or_default().trim().to_owned()
}

/// Asks every node; exit code 3 when none leads or none answers, 4 when none accepts who asks.
pub(crate) fn run(global: &Global) -> Result<ExitCode, Failure> {
    let (status, failure) = runtime::block_on(async {
        let connection = Connection::open(global).await?;
        let statuses = connection.statuses().await;
        let leads = |status: &NodeStatus| status.role() == RaftRole::Leader;
        let leader = statuses
            .iter()
            .filter_map(|(name, status)| Some((name, status.as_ref().ok()?)))
            .filter(|(_, status)| leads(status))
            .max_by_key(|(_, status)| status.term)
            .map(|(name, _)| name.clone());
        let failure = leader.is_none().then(|| leaderless(&statuses));
        let nodes = statuses.into_iter().map(|(name, status)| row(name, status)).collect();
        Ok((Status { cluster: connection.context.cluster.clone(), leader, nodes }, failure))
    })?;
    output::print(global.output, &status)?;
    failure.map_or(Ok(ExitCode::SUCCESS), Err)
}

/// Why no leader is known: that none leads is only known from nodes that answer.
fn leaderless(statuses: &[(String, Result<NodeStatus, Silence>)]) -> Failure {
    let silences: Vec<&Silence> = statuses.iter().filter_map(|(_, status)| status.as_ref().err()).collect();
    let down = "farquorum sim status shows which hosts and links are down";
    let Some(first) = silences.first().filter(|_| silences.len() == statuses.len()) else {
        let message = "no node leads: writes wait until a majority can reach each other";
        return Failure::new(Kind::NotAvailable, message).hint(down);
    };
    if silences.iter().all(|silence| silence.refused) {
        let message = format!("every node refused to answer, so who leads is not known: {}", first.brief());
        return Failure::new(Kind::Refused, message)
            .hint("farquorum context show names the certificate, farquorum certs show FILE prints it");
    }
    let message = format!("no node answers, so who leads is not known: {}", first.brief());
    Failure::new(Kind::NotAvailable, message).hint(down)
}

fn row(name: String, status: Result<NodeStatus, Silence>) -> NodeRow {
    let status = match status {
        Ok(status) => status,
        Err(silence) => {
            let role = if silence.refused { "refused" } else { "unreachable" };
            return NodeRow { name, role, error: Some(silence.why), ..NodeRow::default() };
        }
    };
    let role = match status.role() {
        RaftRole::Leader => "leader",
        RaftRole::Candidate => "candidate",
        RaftRole::Follower | RaftRole::Unspecified => "follower",
    };
    let millis = |micros: u64| std::time::Duration::from_micros(micros).as_secs_f64() * 1000.0;
    let rtt = |peer: &PeerStatus| {
        Some(Rtt {
            to: peer.name.clone(),
            ms: millis(peer.rtt_us?),
            p50_ms: peer.rtt_minute.map(|rtt| millis(rtt.p50_us)),
            p99_ms: peer.rtt_minute.map(|rtt| millis(rtt.p99_us)),
            probes: peer.rtt_minute.map_or(0, |rtt| rtt.count),
        })
    };
    let rtts = status.peers.iter().filter_map(rtt);
    NodeRow {
        name,
        role,
        rtt_ms: rtts.collect(),
        id: status.id,
        cloud: status.cloud,
        version: status.version,
        level: status.level,
        term: status.term,
        committed: status.committed,
        applied: status.applied,
        state_hash: status.state_hash,
        uptime_ms: status.uptime_ms,
        tasks_pending: status.tasks_pending,
        tasks_active: status.tasks_active,
        workers_healthy: status.workers_healthy,
        keys: status.keys,
        error: None,
    }
}
