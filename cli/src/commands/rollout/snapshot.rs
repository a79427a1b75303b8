//! What one look at a cluster shows: what every host says of itself, at about the same time. Plain data, made by
//! `look.rs` and judged by `fit.rs`.

use std::collections::BTreeSet;

/// One look.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    /// Every node that the context names, in its order.
    pub(super) nodes: Vec<Node>,
    /// Every worker that the cluster knows, or why it did not say; none when no worker is to be updated.
    pub(super) workers: Result<Vec<Worker>, String>,
}

/// A node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Its name.
    pub(super) name: String,
    /// What it says, or why it says nothing.
    pub(super) view: Result<View, String>,
}

/// What a node says of itself.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// Whether it says that it leads.
    pub(super) leads: bool,
    /// Name of the leader that it knows; empty when it knows none.
    pub(super) leader: String,
    /// Its term.
    pub(super) term: u64,
    /// Its committed index.
    pub(super) committed: u64,
    /// Its applied index.
    pub(super) applied: u64,
    /// Version of the binary that it runs.
    pub(super) version: String,
    /// Milliseconds since its process started.
    pub(super) uptime_ms: u64,
    /// Whether requests should come to it (`/readyz`), or why not.
    pub(super) ready: Result<(), String>,
    /// The other members, as it knows them.
    pub(super) peers: Vec<Peer>,
}

/// A member, as another one knows it.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// Its name.
    pub(super) name: String,
    /// Whether it votes.
    pub(super) voter: bool,
    /// Whether a stream to it is open.
    pub(super) connected: bool,
    /// Median round trip to it; none when that is not known.
    pub(super) rtt_us: Option<u64>,
}

/// A worker, as the cluster knows it.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    /// Its name.
    pub(super) name: String,
    /// Whether its heartbeats come.
    pub(super) healthy: bool,
    /// When the last one came, in milliseconds on the leader's clock.
    pub(super) last_seen_ms: u64,
}

impl Snapshot {
    /// Who leads; of two that say so, the one in the later term.
    pub(super) fn leader(&self) -> Option<(&str, &View)> {
        let views = self.nodes.iter().filter_map(|node| Some((node.name.as_str(), node.view.as_ref().ok()?)));
        views.filter(|(_, view)| view.leads).max_by_key(|(_, view)| view.term)
    }

    /// Whether this node leads.
    pub(super) fn is_led_by(&self, name: &str) -> bool {
        self.leader().is_some_and(|(leader, _)| leader == name)
    }

    /// Names of those that vote, as the leader knows them; empty without a leader.
    pub(super) fn voters(&self) -> BTreeSet<&str> {
        let Some((leader, view)) = self.leader() else { return BTreeSet::new() };
        let peers = view.peers.iter().filter(|peer| peer.voter).map(|peer| peer.name.as_str());
        peers.chain([leader]).collect()
    }

    /// What a node says.
    pub(super) fn view(&self, name: &str) -> Option<&View> {
        self.nodes.iter().find(|node| node.name == name)?.view.as_ref().ok()
    }

    /// What the cluster knows of a worker, or why it did not say.
    pub(super) fn worker(&self, name: &str) -> Result<Option<&Worker>, &str> {
        let workers = self.workers.as_ref().map_err(String::as_str)?;
        Ok(workers.iter().find(|worker| worker.name == name))
    }

    /// When a worker was heard of last.
    pub(super) fn heard_ms(&self, name: &str) -> Option<u64> {
        Some(self.worker(name).ok()??.last_seen_ms)
    }
}
