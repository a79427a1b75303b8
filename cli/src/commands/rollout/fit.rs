//! Whether a cluster can do without one of its hosts for a while, and what is in the way. Pure: judges one look.

use super::snapshot::{Node, Snapshot};

/// Entries that a node may be behind the leader and still counts as caught up: what `/readyz` allows too, a second or so
/// of the largest load.
const LAG_MAX: u64 = 10_000;

/// Why the cluster is not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// The host that it is about; none: the cluster as a whole.
    pub(super) host: Option<String>,
    /// Whether waiting does not help: there are too few voters.
    pub(super) lasting: bool,
    /// For people.
    pub(super) text: String,
}

impl Problem {
    fn of(host: &str, text: String) -> Self {
        Self { host: Some(host.to_owned()), lasting: false, text }
    }

    fn whole(text: String, lasting: bool) -> Self {
        Self { host: None, lasting, text }
    }
}

/// All that is in the way of taking one node: somebody must lead, everybody must answer, follow the leader and have
/// applied all up to `mark`, and without any one voter there must be a majority (unless `unavailable_ok`).
pub(super) fn problems(seen: &Snapshot, mark: Option<u64>, unavailable_ok: bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    if seen.leader().is_none() {
        problems.push(Problem::whole("no node leads".to_owned(), false));
    }
    for node in &seen.nodes {
        let why = match (&node.view, seen.leader()) {
            // That nobody leads is said once.
            (Ok(_), None) => None,
            _ => node_problem(seen, &node.name, mark),
        };
        problems.extend(why.map(|why| Problem::of(&node.name, format!("{} {why}", node.name))));
    }
    let voters = seen.voters();
    for voter in &voters {
        if !seen.nodes.iter().any(|node| node.name == *voter) {
            let text = format!("{voter} votes, and the context does not name it: import the context anew");
            problems.push(Problem::whole(text, true));
        }
    }
    if !voters.is_empty() && !unavailable_ok && voters.len() - 1 < majority(voters.len()) {
        let text = match voters.len() {
            1 => "one voter alone: while it is away, nothing can be read or written".to_owned(),
            count => format!("{count} voters: while one is away, the others are no majority"),
        };
        problems.push(Problem::whole(text, true));
    }
    problems
}

/// Why a node does not serve as a caught-up member; none when it does.
pub(super) fn node_problem(seen: &Snapshot, name: &str, mark: Option<u64>) -> Option<String> {
    let view = match seen.nodes.iter().find(|node| node.name == name) {
        None => return Some("is not in the context".to_owned()),
        Some(Node { view: Err(why), .. }) => return Some(format!("does not answer: {why}")),
        Some(Node { view: Ok(view), .. }) => view,
    };
    if let Err(why) = &view.ready {
        return Some(format!("is not ready: {why}"));
    }
    let Some((leader, leads)) = seen.leader() else { return Some("knows no leader".to_owned()) };
    if view.leader != leader || view.term != leads.term {
        return Some(format!("does not follow {leader} in term {} yet", leads.term));
    }
    if leads.peers.iter().any(|peer| peer.name == name && !peer.connected) {
        return Some(format!("is not connected with {leader}"));
    }
    let mark = mark.unwrap_or(leads.committed);
    if view.applied < mark {
        return Some(format!("has applied entry {} and not yet {mark}", view.applied));
    }
    let behind = leads.committed.saturating_sub(view.applied);
    (behind > LAG_MAX).then(|| format!("is {behind} entries behind {leader}; {LAG_MAX} may be"))
}

/// Why a worker does not work; none when it does and was heard of since an earlier look, which showed `heard_ms`. The
/// times are of whoever led then, so they are only compared for change.
pub(super) fn worker_problem(seen: &Snapshot, name: &str, heard_ms: Option<u64>) -> Option<String> {
    let worker = match seen.worker(name) {
        Err(why) => return Some(format!("cannot be asked for: {why}")),
        Ok(None) => return Some("is not known to the cluster".to_owned()),
        Ok(Some(worker)) => worker,
    };
    if !worker.healthy {
        return Some("sends no heartbeats".to_owned());
    }
    let heard_ms = heard_ms.unwrap_or(worker.last_seen_ms);
    (worker.last_seen_ms == heard_ms).then(|| "has sent no heartbeat since then".to_owned())
}

/// Why a node cannot be taken to bring back what it ran before. One that does not serve can always be: nobody counts on
/// it. Otherwise a majority must serve without it.
pub(super) fn missed(seen: &Snapshot, name: &str) -> Option<String> {
    if seen.leader().is_none() {
        return seen.view(name).map(|_| "it answers, and no node leads".to_owned());
    }
    let serves = |name: &str| node_problem(seen, name, Some(0)).is_none();
    if !serves(name) {
        return None;
    }
    let voters = seen.voters();
    let others = voters.iter().filter(|voter| **voter != name && serves(voter)).count();
    let needed = majority(voters.len());
    (voters.contains(name) && others < needed).then(|| {
        format!("it serves, and without it {others} voters would be left of {needed} that are needed")
    })
}

/// To whom `leader` hands over best: the voter that serves and reaches a majority soonest, since every write waits for that
/// from then on, and the next leader's election now. None when no round trip is known.
pub(super) fn successor(seen: &Snapshot, leader: &str) -> Option<String> {
    let voters = seen.voters();
    let others = majority(voters.len()).checked_sub(2)?;
    let reach = |name: &&&str| {
        let peers = seen.view(name)?.peers.iter().filter(|peer| voters.contains(peer.name.as_str()));
        let mut rtts: Vec<u64> = peers.map(|peer| peer.rtt_us.unwrap_or(u64::MAX)).collect();
        rtts.sort_unstable();
        rtts.get(others).copied().filter(|rtt| *rtt < u64::MAX)
    };
    let able = voters.iter().filter(|name| **name != leader && node_problem(seen, name, Some(0)).is_none());
    let known = able.filter_map(|name| Some((reach(&name)?, *name)));
    known.min().map(|(_, name)| name.to_owned())
}

/// Fewest of so many voters that decide.
pub(super) fn majority(voters: usize) -> usize {
    voters / 2 + 1
}
