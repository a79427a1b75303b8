//! The client side: channels with mutual TLS, following the leader, typed errors.
//!
//! For workers and the command line. A [`Context`] says where a cluster is and which certificates to use; a [`Cluster`]
//! calls it: it remembers the leader, goes where NOT_LEADER points, tries another node when one does not answer, and
//! ends every call by its deadline. A call that may have been done is sent again only when doing it twice is harmless;
//! otherwise the answer is [`ClientError::OutcomeUnknown`]. [`wire`] is the same vocabulary for the servers.

mod cluster;
mod context;
mod contexts;
mod error;
mod judge;
mod link;
mod pool;
mod route;
mod service;
mod storage;
pub mod wire;

pub use cluster::{Call, Cluster, Settings, Timing};
pub use context::{Context, ContextError, ContextNode, SimContext, TlsContext};
pub use contexts::{Contexts, Place};
pub use error::ClientError;
pub use pool::NodeAddress;
pub use service::{ClusterApi, Jobs, Kv, Tasks, Workers};
pub use storage::StorageContext;
