//! What a rollout would do, as a table and as data.

use serde::Serialize;

use super::fit::{self, Problem};
use super::order::{self, Kind, Turn};
use super::snapshot::Snapshot;
use super::target::Target;
use crate::failure::{Failure, Kind as FailureKind};
use crate::output::{Show, rows};

/// What would be done, in order.
#[derive(Serialize)]
pub(super) struct Plan {
    cluster: String,
    leader: Option<String>,
    steps: Vec<Step>,
    /// What works, and should be known.
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Step {
    /// From 1.
    step: usize,
    host: String,
    cloud: String,
    address: String,
    kind: &'static str,
    /// Version that it runs; none of a worker.
    version: Option<String>,
    /// Whether leadership is handed over before.
    hands_over: bool,
    reason: &'static str,
    update: Vec<String>,
    rollback: Option<Vec<String>>,
}

impl Plan {
    /// Of a cluster that is fit.
    pub(super) fn of(cluster: &str, seen: &Snapshot, targets: &[Target]) -> Self {
        let hosts = targets.iter().enumerate().map(|(place, host)| (place, host.name.as_str(), host.kind));
        let others = seen.voters().len() > 1;
        let step = |(number, (place, turn)): (usize, (usize, Turn))| {
            let target = targets.get(place)?;
            let hands_over = turn == Turn::Leader && others;
            Some(Step {
                step: number + 1,
                host: target.name.clone(),
                cloud: target.cloud.clone(),
                address: target.address.clone(),
                kind: if target.kind == Kind::Node { "node" } else { "worker" },
                version: seen.view(&target.name).map(|view| view.version.clone()),
                hands_over,
                reason: turn.reason(others),
                update: target.update.clone(),
                rollback: target.rollback.clone(),
            })
        };
        Self {
            cluster: cluster.to_owned(),
            leader: seen.leader().map(|(name, _)| name.to_owned()),
            steps: order::order(seen, hosts).into_iter().enumerate().filter_map(step).collect(),
            notes: notes(seen, targets),
        }
    }
}

fn notes(seen: &Snapshot, targets: &[Target]) -> Vec<String> {
    let mut notes = Vec::new();
    match seen.voters().len() {
        voters @ (1 | 2) => notes.push(format!(
            "{voters} of {voters} voters are needed: nothing is written while one of them is away"
        )),
        voters if voters % 2 == 0 => {
            let more = match voters - fit::majority(voters) - 1 {
                0 => "no other".to_owned(),
                more => format!("only {more} more"),
            };
            notes.push(format!("{voters} voters: while one is away {more} may fail, as with {}", voters - 1));
        }
        _ => {}
    }
    if targets.iter().any(|target| target.rollback.is_none()) {
        notes.push("no rollback: a host that fails stays as it is".to_owned());
    }
    notes
}

impl Show for Plan {
    fn table(&self) -> String {
        let row = |step: &Step| {
            [
                step.step.to_string(),
                step.host.clone(),
                step.cloud.clone(),
                step.version.clone().unwrap_or_else(|| "-".to_owned()),
                step.reason.to_owned(),
            ]
        };
        let steps = rows(["STEP", "HOST", "CLOUD", "VERSION", "WHY THEN"], self.steps.iter().map(row));
        let shown = |argv: &[String]| shlex::try_join(argv.iter().map(String::as_str)).unwrap_or_default();
        let command = |step: &Step| [step.host.clone(), shown(&step.update)];
        let commands = rows(["HOST", "UPDATE"], self.steps.iter().map(command));
        let back = |step: &Step| Some([step.host.clone(), shown(step.rollback.as_deref()?)]);
        let back: Vec<_> = self.steps.iter().filter_map(back).collect();
        let back = if back.is_empty() {
            String::new()
        } else {
            format!("\n\n{}", rows(["HOST", "ROLLBACK, WHEN IT FAILS"], back))
        };
        let notes: String = self.notes.iter().map(|note| format!("\n\nnote: {note}")).collect();
        let leader = self.leader.as_deref().unwrap_or("none");
        format!("cluster {}, leader {leader}\n\n{steps}\n\n{commands}{back}{notes}", self.cluster)
    }
}

/// The refusal of a cluster that is not fit now.
pub(super) fn refusal(problems: &[Problem]) -> Failure {
    let lasting = problems.iter().any(|problem| problem.lasting);
    let list: String = problems.iter().map(|problem| format!("\n  {}", problem.text)).collect();
    let what = format!("the cluster cannot do without any node now:{list}");
    if lasting {
        return Failure::new(FailureKind::Refused, what)
            .hint("add voters (three survive the loss of one), or --allow-unavailable");
    }
    Failure::new(FailureKind::NotAvailable, what)
        .hint("farquorum status; farquorum health --ready --name NAME")
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::{Node, Peer, View};
    use super::*;

    /// So many voters; the first leads.
    fn voters(count: usize) -> Snapshot {
        let name = |number| format!("n{number}");
        let peer = |number| Peer { name: name(number), voter: true, connected: true, rtt_us: None };
        let view = View {
            leads: true,
            leader: name(1),
            term: 1,
            committed: 1,
            applied: 1,
            version: "1".to_owned(),
            uptime_ms: 1,
            ready: Ok(()),
            peers: (2..=count).map(peer).collect(),
        };
        Snapshot { nodes: vec![Node { name: name(1), view: Ok(view) }], workers: Ok(Vec::new()) }
    }

    #[test]
    fn what_may_fail_while_one_voter_is_away_is_noted() {
        let cases = [
            (1, "1 of 1 voters are needed: nothing is written while one of them is away"),
            (2, "2 of 2 voters are needed: nothing is written while one of them is away"),
            (3, ""),
            (4, "4 voters: while one is away no other may fail, as with 3"),
            (5, ""),
            (6, "6 voters: while one is away only 1 more may fail, as with 5"),
            (7, ""),
        ];
        for (count, note) in cases {
            assert_eq!(notes(&voters(count), &[]).join("; "), note, "{count} voters");
        }
    }
}
