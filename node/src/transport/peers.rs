//! What this node knows of its links to the others, for status, metrics and the lanes themselves.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use farquorum_config::{Config, Node, NodeId};
use prometheus::{Histogram, HistogramVec};
use tokio::sync::watch;
use tokio::time::Instant;

use super::rtt::{RttHistory, RttSummary};

/// One of the two connections to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LaneKind {
    /// Log entries and their acknowledgements.
    Entries,
    /// Heartbeats, votes, probes.
    Control,
}

/// What is known of the link to one peer. Shared between its lanes and whoever asks.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) node: Node,
    /// Configured round-trip time of the link; bounds the time of a dial.
    pub(crate) configured_rtt: Duration,
    entries_up: AtomicBool,
    /// Whether the control lane is open. The entries lane lives and dies with it: see `lane`.
    control_up: watch::Sender<bool>,
    heard: Mutex<Option<Instant>>,
    rtt: Mutex<RttHistory>,
    /// The same for scrapers.
    rtt_seconds: Histogram,
    sent_bytes: AtomicU64,
    dropped: AtomicU64,
}

/// A link's state at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkStatus {
    /// Whether both lanes are open.
    pub connected: bool,
    /// Time since anything came back from it.
    pub last_contact: Option<Duration>,
    /// Round-trip times; none before the first probe's answer.
    pub rtt: Option<RttSummary>,
    /// Bytes of messages handed to its streams since start.
    pub sent_bytes: u64,
    /// Messages dropped as its queues were full.
    pub dropped: u64,
}

impl Peer {
    fn new(node: Node, configured_rtt: Duration, rtt_seconds: Histogram) -> Self {
        Self {
            node,
            configured_rtt,
            entries_up: AtomicBool::new(false),
            control_up: watch::Sender::new(false),
            heard: Mutex::default(),
            rtt: Mutex::default(),
            rtt_seconds,
            sent_bytes: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    pub(crate) fn id(&self) -> NodeId {
        self.node.id
    }

    pub(crate) fn set_up(&self, lane: LaneKind, up: bool) {
        match lane {
            LaneKind::Entries => self.entries_up.store(up, Ordering::Relaxed),
            LaneKind::Control => {
                self.control_up.send_replace(up);
            }
        }
    }

    pub(crate) fn is_up(&self, lane: LaneKind) -> bool {
        match lane {
            LaneKind::Entries => self.entries_up.load(Ordering::Relaxed),
            LaneKind::Control => *self.control_up.borrow(),
        }
    }

    pub(crate) fn watch_control(&self) -> watch::Receiver<bool> {
        self.control_up.subscribe()
    }

    pub(crate) fn heard(&self, now: Instant) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    pub(crate) fn add_rtt(&self, rtt: Duration, now: Duration) {
        self.rtt.lock().unwrap_or_else(PoisonError::into_inner).add(rtt, now);
        self.rtt_seconds.observe(rtt.as_secs_f64());
    }

    pub(crate) fn add_sent(&self, bytes: u64) {
        self.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts a dropped message; returns how many there were before.
    pub(crate) fn add_dropped(&self) -> u64 {
        self.dropped.fetch_add(1, Ordering::Relaxed)
    }

    /// `boot` is `now` on the clock of the probes.
    pub(crate) fn status(&self, now: Instant, boot: Duration) -> LinkStatus {
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        LinkStatus {
            connected: self.is_up(LaneKind::Entries) && self.is_up(LaneKind::Control),
            last_contact: heard.map(|heard| now.saturating_duration_since(heard)),
            rtt: self.rtt.lock().unwrap_or_else(PoisonError::into_inner).summary(boot),
            sent_bytes: self.sent_bytes.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }
}

/// All peers of this node, by id. Fixed at start: membership at run time picks among them.
pub(crate) type Peers = BTreeMap<NodeId, std::sync::Arc<Peer>>;

/// The peers of `me` as the configuration knows them.
pub(crate) fn peers(config: &Config, me: &Node, rtt_seconds: &HistogramVec) -> Peers {
    let others = config.nodes.iter().filter(|node| node.id != me.id);
    let peer = |node: &Node| {
        let seconds = rtt_seconds.with_label_values(&[&node.name, &node.cloud]);
        Peer::new(node.clone(), configured_rtt(config, me, node), seconds)
    };
    others.map(|node| (node.id, std::sync::Arc::new(peer(node)))).collect()
}

/// Both directions of the configured link, with what jitter adds to nearly every packet.
fn configured_rtt(config: &Config, me: &Node, other: &Node) -> Duration {
    let one_way = |from: &str, to: &str| {
        config.link(from, to).map_or(0.0, |link| link.delay_ms + link.jitter_allowance_ms())
    };
    let ms = one_way(&me.cloud, &other.cloud) + one_way(&other.cloud, &me.cloud);
    Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default()
}
