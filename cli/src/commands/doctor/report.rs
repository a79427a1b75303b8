//! What the doctor found, as lines for people and as data.

use serde::Serialize;

use crate::output::Show;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// Works, but not for long or not well.
    Warning,
    /// Will not work.
    Failed,
    /// Could not be looked at.
    Skipped,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Check {
    /// What it is about: host, disk, certificates, network, lab.
    pub(super) group: &'static str,
    /// How it ended.
    pub(super) state: State,
    /// What was seen.
    pub(super) found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hint: Option<String>,
}

/// Collects the checks of a group.
pub(super) struct Group<'a> {
    name: &'static str,
    checks: &'a mut Vec<Check>,
}

impl<'a> Group<'a> {
    /// A group whose checks end up in `checks`.
    pub(super) fn new(name: &'static str, checks: &'a mut Vec<Check>) -> Self {
        Self { name, checks }
    }

    /// As it should be.
    pub(super) fn ok(&mut self, found: impl Into<String>) {
        self.push(State::Ok, found.into(), None);
    }

    /// Works, but.
    pub(super) fn warning(&mut self, found: impl Into<String>, hint: impl Into<String>) {
        self.push(State::Warning, found.into(), Some(hint.into()));
    }

    /// Will not work.
    pub(super) fn failed(&mut self, found: impl Into<String>, hint: impl Into<String>) {
        self.push(State::Failed, found.into(), Some(hint.into()));
    }

    /// Was not looked at, and why.
    pub(super) fn skipped(&mut self, why: impl Into<String>, hint: Option<&str>) {
        self.push(State::Skipped, why.into(), hint.map(str::to_owned));
    }

    fn push(&mut self, state: State, found: String, hint: Option<String>) {
        self.checks.push(Check { group: self.name, state, found, hint });
    }
}

/// Everything that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// In the order in which it was looked at.
    pub(super) checks: Vec<Check>,
}

impl Report {
    /// How many ended so.
    pub(super) fn count(&self, state: State) -> usize {
        self.checks.iter().filter(|check| check.state == state).count()
    }
}

impl Show for Report {
    fn table(&self) -> String {
        let mut text = String::new();
        let mut group = "";
        for check in &self.checks {
            if check.group != group {
                group = check.group;
                let gap = if text.is_empty() { "" } else { "\n" };
                text.push_str(&format!("{gap}{group}\n"));
            }
            let state = match check.state {
                State::Ok => "ok  ",
                State::Warning => "warn",
                State::Failed => "FAIL",
                State::Skipped => "skip",
            };
            text.push_str(&format!("  {state}  {}\n", check.found));
            if let Some(hint) = &check.hint {
                text.push_str(&format!("        try: {hint}\n"));
            }
        }
        let (failed, warnings) = (self.count(State::Failed), self.count(State::Warning));
        let plural = if warnings == 1 { "" } else { "s" };
        text.push_str(&format!(
            "\n{} checks: {failed} failed, {warnings} warning{plural}",
            self.checks.len()
        ));
        text
    }
}
