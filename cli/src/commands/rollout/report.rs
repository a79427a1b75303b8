//! What a rollout did, as a table and as data; and how the command ends.

use std::process::ExitCode;

use serde::Serialize;

use super::machine::End;
use super::order::Kind;
use super::progress::{Progress, State};
use crate::failure::{Failure, Kind as FailureKind};
use crate::output::{self, Format, Show, rows};

/// What was done.
#[derive(Serialize)]
pub(super) struct Report {
    cluster: String,
    outcome: &'static str,
    /// Why it failed; none when it did not.
    why: Option<String>,
    /// Why not everything is back; none when it is, or nothing had to be.
    not_back: Option<String>,
    /// Every host that it was about.
    hosts: Vec<Row>,
    took_ms: u128,
}

#[derive(Serialize)]
struct Row {
    host: String,
    kind: &'static str,
    state: State,
    version_before: Option<String>,
    version_after: Option<String>,
    /// Whether another process runs than before; none when that is not known.
    restarted: Option<bool>,
    /// From the begin of its command until it was well, or had failed.
    took_ms: Option<u128>,
    why: Option<String>,
}

impl From<&Progress> for Row {
    fn from(host: &Progress) -> Self {
        Self {
            host: host.name.clone(),
            kind: if host.kind == Kind::Node { "node" } else { "worker" },
            state: host.state,
            version_before: host.version_before.clone(),
            version_after: host.version_after.clone(),
            restarted: host.restarted,
            took_ms: host.took.map(|took| took.as_millis()),
            why: host.why.clone(),
        }
    }
}

impl Row {
    fn state(&self) -> &'static str {
        match (self.state, self.restarted) {
            (State::Untouched, _) => "not touched",
            (State::Begun, _) => "begun, unknown",
            (State::Updated, Some(false)) => "updated, not restarted",
            (State::Updated, _) => "updated",
            (State::Failed, _) => "FAILED",
            (State::RolledBack, _) => "rolled back",
        }
    }

    fn versions(&self) -> String {
        match (&self.version_before, &self.version_after) {
            (None, None) => "-".to_owned(),
            (before, after) => {
                let shown = |version: &Option<String>| version.clone().unwrap_or_else(|| "?".to_owned());
                format!("{} -> {}", shown(before), shown(after))
            }
        }
    }
}

impl Show for Report {
    fn table(&self) -> String {
        let row = |host: &Row| {
            let seconds = |ms: u128| format!("{}.{:01} s", ms / 1_000, ms % 1_000 / 100);
            [
                host.host.clone(),
                host.state().to_owned(),
                host.versions(),
                host.took_ms.map_or_else(|| "-".to_owned(), seconds),
            ]
        };
        rows(["HOST", "STATE", "VERSION", "TOOK"], self.hosts.iter().map(row))
    }
}

/// Prints what was done, and ends as it ended.
pub(super) fn end(
    format: Format,
    cluster: &str,
    end: End,
    hosts: &[Progress],
    took: std::time::Duration,
) -> Result<ExitCode, Failure> {
    let (outcome, why, not_back) = match &end {
        End::Updated => ("updated", None, None),
        End::RolledBack(why) => ("rolled_back", Some(why.clone()), None),
        End::Stuck(why, not_back) => ("not_rolled_back", Some(why.clone()), Some(not_back.clone())),
        End::Stopped(why) => ("stopped", Some(why.clone()), None),
        End::Interrupted => ("interrupted", None, None),
    };
    let rows = hosts.iter().map(Row::from).collect();
    let report = Report {
        cluster: cluster.to_owned(),
        outcome,
        why,
        not_back,
        hosts: rows,
        took_ms: took.as_millis(),
    };
    output::print(format, &report)?;
    failure(&end, hosts).map_or(Ok(ExitCode::SUCCESS), Err)
}

fn failure(end: &End, hosts: &[Progress]) -> Option<Failure> {
    let changed = changed(hosts);
    Some(match end {
        End::Updated => return None,
        End::RolledBack(why) => Failure::failed(format!("{why}\n  everything that was begun is rolled back and well"))
            .hint("farquorum status; then rollout again with a command that works"),
        End::Stuck(why, not_back) => Failure::failed(format!(
            "{why}\n  and the rollback stopped: {not_back}\n  changed and not back: {changed}"
        ))
        .hint("farquorum status; mend the host, then run its rollback by hand (farquorum rollout plan shows it)"),
        End::Stopped(why) => Failure::failed(format!("{why}\n  stopped; changed: {changed}"))
            .hint("farquorum status; then rollout again with the hosts that are left"),
        End::Interrupted => Failure::new(FailureKind::Interrupted, format!("interrupted; changed: {changed}"))
            .hint("rollout again with the hosts that are left"),
    })
}

/// Names of the hosts that are not as they were.
fn changed(hosts: &[Progress]) -> String {
    let other = |host: &&Progress| !matches!(host.state, State::Untouched | State::RolledBack);
    let names: Vec<&str> = hosts.iter().filter(other).map(|host| host.name.as_str()).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}
