//! How far one host is. Plain data with the few ways in which it changes.

use std::time::Duration;

use serde::Serialize;

use super::order::Kind;
use super::snapshot::View;

/// How far a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// Nothing was done to it.
    Untouched,
    /// Its command was begun, and whether it is well is not known.
    Begun,
    /// Updated and well.
    Updated,
    /// Its command failed, or it was not well in time.
    Failed,
    /// Back to what it was, and well.
    RolledBack,
}

/// A host of a rollout.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    /// Its name.
    pub(super) name: String,
    /// What it is.
    pub(super) kind: Kind,
    /// How far.
    pub(super) state: State,
    /// Version before its command; none for a worker.
    pub(super) version_before: Option<String>,
    /// Version when it was well last; none before that.
    pub(super) version_after: Option<String>,
    /// Whether its process is another one than before; none when that is not known.
    pub(super) restarted: Option<bool>,
    /// Why it failed.
    pub(super) why: Option<String>,
    began: Duration,
    /// From the begin of its command until it was well, or had failed.
    pub(super) took: Option<Duration>,
}

impl Progress {
    /// A host to which nothing was done.
    pub(super) fn new(name: String, kind: Kind) -> Self {
        Self {
            name,
            kind,
            state: State::Untouched,
            version_before: None,
            version_after: None,
            restarted: None,
            why: None,
            began: Duration::ZERO,
            took: None,
        }
    }

    /// Its command begins.
    pub(super) fn begun(&mut self, view: Option<&View>, now: Duration) {
        self.state = State::Begun;
        self.version_before = view.map(|view| view.version.clone());
        self.began = now;
    }

    /// It is well, updated or back.
    pub(super) fn ended(&mut self, state: State, view: Option<&View>, now: Duration) {
        let took = now.saturating_sub(self.began);
        self.state = state;
        self.took = Some(took);
        self.version_after = view.map(|view| view.version.clone());
        self.restarted = view.map(|view| u128::from(view.uptime_ms) < took.as_millis());
    }

    /// Its command failed, or it was not well in time.
    pub(super) fn failed(&mut self, why: &str, now: Duration) {
        self.state = State::Failed;
        self.took = Some(now.saturating_sub(self.began));
        self.why = Some(why.to_owned());
    }
}
