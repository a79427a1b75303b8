//! In which order hosts are updated, and why. Pure. Asked anew before each step, since leadership may move meanwhile.

use super::snapshot::Snapshot;

/// What a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A control-plane node.
    Node,
    /// A worker.
    Worker,
}

/// When a host's turn is. Smaller ones come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    /// Nobody counts its vote.
    Learner,
    /// It follows.
    Follower,
    /// It leads.
    Leader,
    /// It runs tasks.
    Worker,
}

impl Turn {
    /// Of a host, as far as the look tells.
    pub(super) fn of(seen: &Snapshot, name: &str, kind: Kind) -> Self {
        match kind {
            Kind::Worker => Self::Worker,
            Kind::Node if seen.is_led_by(name) => Self::Leader,
            Kind::Node if seen.leader().is_some() && !seen.voters().contains(name) => Self::Learner,
            Kind::Node => Self::Follower,
        }
    }

    /// Why then.
    pub(super) fn reason(self, hands_over: bool) -> &'static str {
        match self {
            Self::Learner => "does not vote: nobody misses it",
            Self::Follower => "follows: a majority serves without it",
            Self::Leader if hands_over => "leads: last of the nodes, after it has handed leadership over",
            Self::Leader => "leads, and nobody else can: nothing is served meanwhile",
            Self::Worker => "worker, after the nodes: its tasks go to others when it stops",
        }
    }
}

/// Places of the hosts in the order of their turns; those with the same turn stay as they are.
pub(super) fn order<'a>(
    seen: &Snapshot,
    hosts: impl Iterator<Item = (usize, &'a str, Kind)>,
) -> Vec<(usize, Turn)> {
    let mut turns: Vec<(usize, Turn)> =
        hosts.map(|(place, name, kind)| (place, Turn::of(seen, name, kind))).collect();
    turns.sort_by_key(|(_, turn)| *turn);
    turns
}
