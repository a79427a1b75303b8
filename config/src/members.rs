//! Finding oneself in the configuration: a process that is not in the file must not start as somebody else.

use crate::names::known;
use crate::types::{Config, Node, Worker};

/// A host that the configuration does not name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no {role} {name} in the configuration; {known}")]
pub struct UnknownHost {
    /// `node` or `worker`.
    pub role: &'static str,
    /// The name that was asked for.
    pub name: String,
    /// The nearest name and all of them.
    known: String,
}

impl Config {
    /// The node of this name, for the process that runs it.
    ///
    /// # Errors
    /// Names the nodes that there are, the nearest first.
    pub fn require_node(&self, name: &str) -> Result<&Node, UnknownHost> {
        let names: Vec<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
        self.node(name).ok_or_else(|| UnknownHost {
            role: "node",
            name: name.to_owned(),
            known: known(name, &names),
        })
    }

    /// The worker of this name, for the process that runs it.
    ///
    /// # Errors
    /// Names the workers that there are, the nearest first.
    pub fn require_worker(&self, name: &str) -> Result<&Worker, UnknownHost> {
        let names: Vec<&str> = self.workers.iter().map(|worker| worker.name.as_str()).collect();
        let unknown = || UnknownHost { role: "worker", name: name.to_owned(), known: known(name, &names) };
        self.worker(name).ok_or_else(unknown)
    }
}
