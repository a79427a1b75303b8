//! What the loop, the writer and the applier count and time. The names are the user's where the requirements give
//! them, else `farquorum_<subsystem>_<quantity>_<unit>`. Nothing in here decides anything.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge, Registry};

use super::handle::{RaftStatus, Role};

/// Upper bounds of times in milliseconds: from one fast fsync to several round trips around the world.
const MS: &[f64] = &[
    0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 25.0, 35.0, 50.0, 65.0, 80.0, 100.0, 130.0, 170.0, 250.0, 350.0,
    500.0, 750.0, 1000.0, 2000.0, 5000.0, 10_000.0,
];

/// Upper bounds of times in seconds, for fsync and apply.
const SECONDS: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0, 4.0, 16.0,
];

macro_rules! metrics {
    ($($(#[$doc:meta])* $field:ident: $kind:ident = $make:expr;)*) => {
        /// Handles of all metrics of the Raft part; cheap to clone, all clones count together.
        #[derive(Clone)]
        pub struct RaftMetrics {
            $($(#[$doc])* pub $field: $kind,)*
        }

        impl RaftMetrics {
            /// All at zero.
            ///
            /// # Errors
            /// When a name is not allowed: our own mistake.
            pub fn new() -> Result<Self, prometheus::Error> {
                Ok(Self { $($field: $make?,)* })
            }

            /// Makes them visible in a registry.
            ///
            /// # Errors
            /// When a name is there already.
            pub fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
                $(registry.register(Box::new(self.$field.clone()))?;)*
                Ok(())
            }
        }
    };
}

metrics! {
    /// Elections that this node started.
    elections: IntCounter = IntCounter::new("raft_elections_total", "Elections that this node started.");
    /// Current term.
    term: IntGauge = IntGauge::new("raft_term", "Current term.");
    /// 0 follower, 1 candidate, 2 leader.
    state: IntGauge = IntGauge::new("raft_state", "Role of this node: 0 follower, 1 candidate, 2 leader.");
    /// Propose to commit and apply at the leader.
    replication_ms: Histogram = histogram(
        "raft_replication_latency_ms", "Time from a proposal at the leader to its commit and application there.", MS);
    /// Committed index.
    committed: IntGauge = IntGauge::new("farquorum_raft_committed_index", "Committed index of the log.");
    /// Applied index.
    applied: IntGauge = IntGauge::new("farquorum_raft_applied_index", "Applied index of the log.");
    /// Proposals that were not taken.
    refused: IntCounter =
        IntCounter::new("farquorum_raft_proposals_refused_total", "Proposals refused: no leader, full, stuck disk.");
    /// Proposals that wait for their commit.
    waiting: IntGauge = IntGauge::new("farquorum_raft_proposals_waiting", "Proposals that wait for their commit.");
    /// Time of one synced write.
    fsync: Histogram =
        histogram("farquorum_storage_fsync_seconds", "Time of one synced write to the log.", SECONDS);
    /// Bytes of entries written.
    written_bytes: IntCounter =
        IntCounter::new("farquorum_storage_written_bytes_total", "Bytes of entries and snapshots written to the log.");
    /// Time to apply one batch.
    apply: Histogram = histogram("farquorum_raft_apply_seconds", "Time to apply one batch of entries.", SECONDS);
    /// Snapshots taken here.
    snapshots_taken: IntCounter =
        IntCounter::new("farquorum_storage_snapshots_taken_total", "Snapshots of the own state that were stored.");
    /// Snapshots received.
    snapshots_restored: IntCounter =
        IntCounter::new("farquorum_storage_snapshots_restored_total", "Snapshots of a leader that were restored.");
    /// 1 while the log's tail is in doubt.
    in_doubt: IntGauge = IntGauge::new(
        "farquorum_storage_in_doubt", "1 while the tail of the log is in doubt and this node does not vote.");
}

impl RaftMetrics {
    pub(super) fn show(&self, status: &RaftStatus) {
        self.term.set(gauge(status.leader.term));
        self.state.set(match status.role {
            Role::Follower => 0,
            Role::Candidate => 1,
            Role::Leader => 2,
        });
        self.committed.set(gauge(status.committed));
        self.applied.set(gauge(status.applied));
        self.in_doubt.set(i64::from(status.in_doubt));
        self.elections.inc_by(status.elections.saturating_sub(self.elections.get()));
    }
}

/// A gauge holds 63 bits; no index or term comes near.
pub(super) fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn histogram(name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, prometheus::Error> {
    Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))
}
