//! What is wrong or doubtful in a configuration, and where each value came from. Every message answers the same
//! four questions in the same order: which key, which value, from where, and what is allowed. Plain text, no colour.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A line of the file.
    File {
        /// Path as it was given.
        path: PathBuf,
        /// Line, from 1; 0: the file as a whole.
        line: usize,
    },
    /// A line of the topology that is built into the binary.
    BuiltIn {
        /// Line, from 1.
        line: usize,
    },
    /// An environment variable, by name.
    Variable(String),
    /// An override given by flag; the flag, where it is one of its own.
    CommandLine(Option<String>),
    /// The documented default of the key.
    Default,
    /// Computed from other values, which the text names.
    Derived(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: 0 } => write!(f, "{}", path.display()),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::BuiltIn { line } => write!(f, "built-in farquorum.toml:{line}"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::CommandLine(None) => f.write_str("command line"),
            Self::CommandLine(Some(flag)) => write!(f, "command line, {flag}"),
            Self::Default => f.write_str("default"),
            Self::Derived(from) => write!(f, "derived from {from}"),
        }
    }
}

impl Origin {
    /// Order of messages: the file from top to bottom, then variables, then flags.
    fn rank(&self) -> (u8, usize) {
        match self {
            Self::File { line, .. } | Self::BuiltIn { line } => (0, *line),
            Self::Variable(_) => (1, 0),
            Self::CommandLine(_) => (2, 0),
            Self::Default | Self::Derived(_) => (3, 0),
        }
    }
}

/// One problem or warning. `Display` gives `key = value (origin): message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Dotted path of the key, as `nodes[1].id`; empty when the whole file is meant.
    pub key: String,
    /// The value as TOML, shortened; none when the key is missing.
    pub value: Option<String>,
    /// Where the value, or the table that lacks it, came from.
    pub origin: Origin,
    /// What is allowed, or what the value means for the cluster.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.key, &self.value) {
            (key, _) if key.is_empty() => write!(f, "{}: {}", self.origin, self.message),
            (key, Some(value)) => write!(f, "{key} = {value} ({}): {}", self.origin, self.message),
            (key, None) => write!(f, "{key} ({}): {}", self.origin, self.message),
        }
    }
}

/// Every problem of a configuration, in the order of the file. `Display` gives one `error: ...` line for each of the first
/// hundred.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", lines(findings))]
pub struct ConfigErrors {
    /// At least one.
    pub findings: Vec<Finding>,
}

/// Problems that `Display` prints: more than anybody reads at once.
const SHOWN_MAX: usize = 100;

fn lines(findings: &[Finding]) -> String {
    let mut lines: Vec<String> =
        findings.iter().take(SHOWN_MAX).map(|finding| format!("error: {finding}")).collect();
    if findings.len() > SHOWN_MAX {
        lines.push(format!("error: and {} more", findings.len() - SHOWN_MAX));
    }
    lines.join("\n")
}

/// Origin of each value, by dotted path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins(BTreeMap<String, Origin>);

impl Origins {
    /// Sets the origin of one path.
    pub(crate) fn set(&mut self, path: impl Into<String>, origin: Origin) {
        self.0.insert(path.into(), origin);
    }

    /// Takes over all origins of a later layer.
    pub(crate) fn extend(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    /// Origin of this path, or of the nearest table or list around it.
    pub(crate) fn of(&self, path: &str) -> Origin {
        let mut at = path;
        loop {
            if let Some(origin) = self.0.get(at) {
                return origin.clone();
            }
            match at.rfind(['.', '[']) {
                Some(end) => at = at.get(..end).unwrap_or_default(),
                None => return self.0.get("").cloned().unwrap_or(Origin::Default),
            }
        }
    }

    /// Forgets where the values below a table came from.
    pub(crate) fn forget_below(&mut self, table: &str) {
        let start = format!("{table}.");
        self.0.retain(|path, _| !path.starts_with(&start));
    }

    /// Renumbers the elements of a list of which only those at the indices `kept` remain, in that order.
    pub(crate) fn keep_elements(&mut self, list: &str, kept: &[usize]) {
        let mut moved = Vec::new();
        for (new, old) in kept.iter().enumerate() {
            let prefix = format!("{list}[{old}]");
            for (path, origin) in &self.0 {
                if let Some(rest) = path.strip_prefix(&prefix) {
                    moved.push((format!("{list}[{new}]{rest}"), origin.clone()));
                }
            }
        }
        let start = format!("{list}[");
        self.0.retain(|path, _| !path.starts_with(&start));
        self.0.extend(moved);
    }
}

/// Collects problems and warnings while a configuration is checked.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Where the values came from.
    pub(crate) origins: Origins,
    /// Problems so far.
    problems: Vec<Finding>,
    /// Their keys: asked for every required key, so a search and no scan.
    keys: BTreeSet<String>,
    /// Warnings so far.
    warnings: Vec<Finding>,
}

impl Report {
    /// Notes a problem with the value at `path`.
    pub(crate) fn error(&mut self, path: &str, value: Option<String>, message: impl Into<String>) {
        let finding = self.finding(path, value, message.into());
        self.keys.insert(finding.key.clone());
        self.problems.push(finding);
    }

    /// Notes a problem with a value that never became part of the tree.
    pub(crate) fn error_at(
        &mut self,
        origin: Origin,
        key: &str,
        value: Option<String>,
        message: impl Into<String>,
    ) {
        self.keys.insert(key.to_owned());
        self.problems.push(Finding { key: key.to_owned(), value, origin, message: message.into() });
    }

    /// Notes something that works but that the operator should know.
    pub(crate) fn warn(&mut self, path: &str, value: Option<String>, message: impl Into<String>) {
        let finding = self.finding(path, value, message.into());
        self.warnings.push(finding);
    }

    fn finding(&self, path: &str, value: Option<String>, message: String) -> Finding {
        Finding { key: path.to_owned(), value, origin: self.origins.of(path), message }
    }

    /// Whether a problem was noted at exactly this path.
    pub(crate) fn has_error_at(&self, path: &str) -> bool {
        self.keys.contains(path)
    }

    /// Whether a problem was noted at `path` or below it. Rules that depend on these values are then skipped, so
    /// that one mistake gives one message.
    pub(crate) fn has_error(&self, path: &str) -> bool {
        let below = |start: String| {
            self.keys.range(start.clone()..).next().is_some_and(|key| key.starts_with(&start))
        };
        self.has_error_at(path) || below(format!("{path}.")) || below(format!("{path}["))
    }

    /// The warnings, or all problems.
    pub(crate) fn finish(mut self) -> Result<(Vec<Finding>, Origins), ConfigErrors> {
        if self.problems.is_empty() {
            self.warnings.sort_by_key(|finding| finding.origin.rank());
            return Ok((self.warnings, self.origins));
        }
        self.problems.sort_by_key(|finding| finding.origin.rank());
        Err(ConfigErrors { findings: self.problems })
    }
}
