//! The durability contract: what this module says is written, is on the disk.
//!
//! Everything above sees [`farquorum_driver::LogStore`]; only this module knows RocksDB. It promises:
//! 1. A write is there whole or not at all, and after `write` returned with `must_sync` it survives a power loss.
//! 2. The log is never shorter than what was acknowledged without anyone noticing: damage either refuses the start,
//!    or cuts the tail and puts the node in doubt.
//! 3. A folder belongs to one node of one cluster, for good.
//! 4. Nothing is ever deleted from a folder that was refused.
//!
//! Limit: the whole state is one snapshot, written by the one writer; entries wait for it that long.

mod doubt;
mod error;
mod identity;
mod preflight;
mod record;
mod rocks;
mod terms;
mod witness;

use std::path::Path;
use std::sync::Arc;

use farquorum_config::{Config, LogBackend, NodeId};
use farquorum_driver::{LogStore, MemoryLog};

pub use self::error::StorageError;
pub use self::identity::{FORMAT, StoreId};
use self::identity::{Identity, Member};
pub use self::preflight::check_data_dir;

/// Opens the log of node `me` as the configuration says: RocksDB in `data_dir`, made when the folder is empty, or
/// memory. Call [`check_data_dir`] first.
///
/// # Errors
/// See [`StorageError`]; a refused folder is left as it was.
pub fn open_store(
    config: &Config,
    me: NodeId,
    data_dir: Option<&Path>,
) -> Result<(Arc<dyn LogStore>, StoreId), StorageError> {
    match config.storage.log {
        LogBackend::Memory => {
            tracing::warn!(
                node = me.0,
                "storage.log = \"memory\": NOTHING SURVIVES A RESTART of this node; for experiments only"
            );
            Ok((Arc::new(MemoryLog::default()), StoreId::random()))
        }
        LogBackend::Rocksdb => {
            let dir = data_dir.ok_or(StorageError::NoFolder)?;
            let log = rocks::open(dir, &identity(config, me))?;
            let store = log.identity().map(|identity| identity.store);
            let store = store.ok_or_else(|| StorageError::corrupt(dir, "record identity", "is missing"))?;
            Ok((Arc::new(log), store))
        }
    }
}

/// Who this node is, with a store id for a folder that has none yet.
fn identity(config: &Config, me: NodeId) -> Identity {
    let member =
        |node: &farquorum_config::Node| Member { id: node.id.0, name: node.name.clone(), voter: node.voter };
    let founders = if config.raft.bootstrap { config.nodes.iter().map(member).collect() } else { Vec::new() };
    Identity {
        format: FORMAT,
        cluster: config.cluster.name.clone(),
        node: me.0,
        store: StoreId::random(),
        founders,
    }
}
