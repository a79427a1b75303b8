//! Who speaks: the checks of a peer's first frame, before anything of it reaches the Raft loop (SEC-3).
//!
//! "Any certificate of our authority may speak Raft" was a hole in Nomad and Consul (CVE-2021-37218, -37219): a name
//! is bound to a node id here, and a node id to the store that it came with first.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Mutex;

use bytes::Bytes;
use farquorum_config::{Config, NodeId};
use farquorum_core::Level;
use farquorum_proto::v1;
use thiserror::Error;

/// Version of the peer protocol.
pub(crate) const FORMAT: u32 = 1;

/// Bytes of a store id.
const STORE_ID_BYTES: usize = 16;

/// Why a peer is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum HelloError {
    #[error("the first frame is not a Hello")]
    Missing,
    #[error("cluster id {got:?}, this is cluster {expected:?}")]
    Cluster { got: String, expected: String },
    #[error("the frame is for node {got}, this is node {expected}")]
    Receiver { got: u64, expected: NodeId },
    #[error("format {got}, this node speaks format {FORMAT}")]
    Format { got: u32 },
    #[error("group {got}, there is only group 0")]
    Group { got: u64 },
    #[error("lane {got} is not known")]
    Lane { got: i32 },
    #[error("node {got} is no member of this cluster's configuration")]
    Sender { got: u64 },
    #[error("the certificate belongs to {certificate:?}, node {from} is {expected:?}")]
    Certificate { certificate: String, from: NodeId, expected: String },
    #[error("store id of {got} bytes, {STORE_ID_BYTES} are needed")]
    StoreIdLength { got: usize },
    #[error(
        "node {from} came with another data folder than before: it has lost what it acknowledged; stop it, and \
         start it with the folder that it had"
    )]
    StoreId { from: NodeId },
}

/// What this node is, to its peers.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub(crate) cluster: String,
    pub(crate) id: NodeId,
    pub(crate) store: Bytes,
    pub(crate) level: Level,
}

impl Local {
    /// The first frame of a stream to `to`.
    pub(crate) fn hello(&self, to: NodeId, lane: v1::Lane) -> v1::Hello {
        v1::Hello {
            cluster_id: self.cluster.clone(),
            from: self.id.0,
            to: to.0,
            store_id: self.store.clone(),
            format: FORMAT,
            lane: lane.into(),
            group: 0,
            level: self.level.0,
        }
    }

    /// The answer to it.
    pub(crate) fn welcome(&self) -> v1::HelloReply {
        v1::HelloReply { store_id: self.store.clone(), format: FORMAT, level: self.level.0 }
    }
}

/// Checks everything about a Hello but the store id. `certificate` is the name in the peer's certificate, whose role
/// is known to be node.
pub(crate) fn check(
    hello: &v1::Hello,
    certificate: &str,
    local: &Local,
    config: &Config,
) -> Result<NodeId, HelloError> {
    if hello.cluster_id != local.cluster {
        return Err(HelloError::Cluster { got: hello.cluster_id.clone(), expected: local.cluster.clone() });
    }
    if hello.format != FORMAT {
        return Err(HelloError::Format { got: hello.format });
    }
    if hello.to != local.id.0 {
        return Err(HelloError::Receiver { got: hello.to, expected: local.id });
    }
    if hello.group != 0 {
        return Err(HelloError::Group { got: hello.group });
    }
    if !matches!(v1::Lane::try_from(hello.lane), Ok(v1::Lane::Entries | v1::Lane::Control)) {
        return Err(HelloError::Lane { got: hello.lane });
    }
    let from = NodeId(hello.from);
    let node = config.node_by_id(from).filter(|_| from != local.id);
    let node = node.ok_or(HelloError::Sender { got: hello.from })?;
    if node.name != certificate {
        let (certificate, expected) = (certificate.to_owned(), node.name.clone());
        return Err(HelloError::Certificate { certificate, from, expected });
    }
    if hello.store_id.len() != STORE_ID_BYTES {
        return Err(HelloError::StoreIdLength { got: hello.store_id.len() });
    }
    Ok(from)
}

/// The store that each peer came with first. Lives as long as the process: bounded by the members of the
/// configuration, as unknown nodes are refused before.
#[derive(Debug, Default)]
pub(crate) struct StoreIds(Mutex<HashMap<NodeId, Bytes>>);

impl StoreIds {
    /// Remembers the store of a peer, or compares it.
    pub(crate) fn check(&self, from: NodeId, store: &Bytes) -> Result<(), HelloError> {
        let mut known = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match known.entry(from) {
            Entry::Vacant(slot) => {
                slot.insert(store.clone());
                Ok(())
            }
            Entry::Occupied(slot) if slot.get() == store => Ok(()),
            Entry::Occupied(_) => Err(HelloError::StoreId { from }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn local() -> Local {
        Local {
            cluster: "farquorum".into(),
            id: NodeId(1),
            store: Bytes::from_static(&[1; 16]),
            level: Level(7),
        }
    }

    /// A hello from node 2, changed, with what its certificate says.
    fn refused(change: impl FnOnce(&mut v1::Hello), certificate: &str) -> Option<String> {
        let sender = Local { id: NodeId(2), store: Bytes::from_static(&[2; 16]), ..local() };
        let mut hello = sender.hello(NodeId(1), v1::Lane::Control);
        change(&mut hello);
        check(&hello, certificate, &local(), &testing::config(3)).err().map(|error| error.to_string())
    }

    type Change = fn(&mut v1::Hello);

    #[test]
    fn a_hello_is_taken_from_its_own_node_only() {
        assert_eq!(refused(|_| (), "node-2"), None);
        let cases: [(Change, &str, &str); 10] = [
            (|_| (), "node-3", "the certificate belongs to \"node-3\""),
            (|hello| hello.from = 3, "node-2", "node 3 is \"node-3\""),
            (|hello| hello.from = 9, "node-2", "node 9 is no member"),
            (|hello| hello.from = 1, "node-1", "node 1 is no member"),
            (|hello| hello.to = 3, "node-2", "for node 3, this is node 1"),
            (|hello| hello.cluster_id = "other".into(), "node-2", "this is cluster \"farquorum\""),
            (|hello| hello.format = 2, "node-2", "format 2"),
            (|hello| hello.group = 1, "node-2", "group 1"),
            (|hello| hello.lane = 7, "node-2", "lane 7"),
            (|hello| hello.store_id = Bytes::from_static(b"short"), "node-2", "store id of 5 bytes"),
        ];
        for (change, certificate, expected) in cases {
            let message = refused(change, certificate).unwrap_or_default();
            assert!(message.contains(expected), "{message:?} does not say {expected:?}");
        }
    }

    #[test]
    fn a_node_keeps_its_store() {
        let known = StoreIds::default();
        let (first, other) = (Bytes::from_static(&[2; 16]), Bytes::from_static(&[3; 16]));
        assert_eq!(known.check(NodeId(2), &first), Ok(()));
        assert_eq!(known.check(NodeId(2), &first), Ok(()));
        assert_eq!(known.check(NodeId(2), &other), Err(HelloError::StoreId { from: NodeId(2) }));
        assert_eq!(known.check(NodeId(3), &other), Ok(()));
    }
}
