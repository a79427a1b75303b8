//! The context file: where a cluster is, seen from this machine, and which certificates to use. The simulation writes
//! one; for another cluster `farquorum context import` does, or a person. Secrets stand in files of their own; relative
//! paths are below the context file's folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use farquorum_config::write_whole;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::storage::StorageContext;

/// Where a cluster is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Name of the cluster.
    pub cluster: String,
    /// Its nodes, at least one.
    pub nodes: Vec<ContextNode>,
    /// Certificates of the caller.
    pub tls: TlsContext,
    /// The object store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageContext>,
    /// The simulation that runs this cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sim: Option<SimContext>,
}

/// A node, seen from this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextNode {
    /// Raft id.
    pub id: u64,
    /// Name, which its certificate carries.
    pub name: String,
    /// Label of its cloud.
    pub cloud: String,
    /// host:port of its public gRPC services.
    pub grpc: String,
    /// host:port of its HTTP server.
    pub http: String,
}

/// Certificates of the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsContext {
    /// Certificate of the peer authority, which signs the nodes; its revocation list is used when it is beside it.
    pub ca: PathBuf,
    /// Certificate of the caller.
    pub cert: PathBuf,
    /// Private key of the caller.
    pub key: PathBuf,
}

/// The simulation that runs this cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimContext {
    /// Its name.
    pub name: String,
    /// Its control socket.
    pub control: PathBuf,
}

/// Why there is no context.
#[derive(Debug, Error)]
pub enum ContextError {
    /// The file cannot be read.
    #[error("cannot read the context file {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write the context file {path}: {source}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not a context.
    #[error("{path} is not a context file: {reason}")]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// No simulation runs.
    #[error(
        "no cluster to talk to: no context is in use, and there is no simulation under {}; start one with \
         `make sim-up`, or name another cluster with `farquorum context use`, --context or FARQUORUM_CONTEXT",
        state_dir.display()
    )]
    None {
        /// Where simulations keep their state.
        state_dir: PathBuf,
    },
    /// Several simulations run, and none is the default one.
    #[error("several simulations run; name one with --context FILE:{}", list(found))]
    Several {
        /// Their context files.
        found: Vec<PathBuf>,
    },
    /// No context has this name.
    #[error("there is no context {name:?}; {}", there_are(known))]
    Unknown {
        /// What was asked for.
        name: String,
        /// Names that there are.
        known: Vec<String>,
    },
    /// The context in use is not there any more.
    #[error(
        "the context in use, {name}, is not there any more; choose another with `farquorum context use NAME`, or the \
         running simulation with `farquorum context use --none`"
    )]
    Gone {
        /// Its name.
        name: String,
    },
    /// No context can have this name.
    #[error("a context cannot be called {name:?}: its name is 1 to 63 of a-z, 0-9 and '-'")]
    Name {
        /// What was asked for.
        name: String,
    },
}

impl Context {
    /// Reads a context file.
    ///
    /// # Errors
    /// When the file is not readable, not TOML, has unknown or missing keys, or names no node.
    pub fn load(path: &Path) -> Result<Self, ContextError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ContextError::Read { path: path.to_owned(), source })?;
        let content = |reason: String| ContextError::Content { path: path.to_owned(), reason };
        let mut context: Self = toml::from_str(&text).map_err(|error| content(error.to_string()))?;
        if context.nodes.is_empty() {
            return Err(content("nodes is empty; at least one node is needed".to_owned()));
        }
        context.storage.iter_mut().try_for_each(StorageContext::complete).map_err(content)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        context.paths().into_iter().for_each(|path| *path = folder.join(&path));
        Ok(context)
    }

    /// Writes the context file, whole or not at all: a reader sees the old one or the new one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ContextError> {
        let write = |source| ContextError::Write { path: path.to_owned(), source };
        let text = toml::to_string(self).map_err(|error| write(io::Error::other(error)))?;
        write_whole(path, 0o644, text).map_err(write)
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let TlsContext { ca, cert, key } = &mut self.tls;
        let storage = self.storage.as_mut();
        let storage = storage.map(|storage| [&mut storage.ca, &mut storage.credentials]).into_iter();
        let storage = storage.flatten().filter_map(Option::as_mut);
        let sim = self.sim.as_mut().map(|sim| &mut sim.control);
        [ca, cert, key].into_iter().chain(storage).chain(sim).collect()
    }
}

fn there_are(known: &[String]) -> String {
    if known.is_empty() { "there are none".to_owned() } else { format!("there are: {}", known.join(", ")) }
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| format!("\n  {}", path.display())).collect()
}
