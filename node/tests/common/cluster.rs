//! Three whole Raft parts in one process, each with RocksDB in a folder of its own, joined by a network that can cut,
//! on disks that can fail or hang.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use farquorum_config::{Config, NodeId};
use farquorum_core::{Command, LogIndex, Outcome};
use farquorum_node::clock::SystemClock;
use farquorum_node::raft::{
    RaftError, RaftHandle, RaftMetrics, RaftParts, Role, Start, deadline_in, join_snapshot, seed, start,
};
use farquorum_node::storage::open_store;
use farquorum_node::transport::{Outgoing, OutgoingSnapshot, Transport};
use tokio::sync::mpsc;

use super::config;
use super::disk::{Disk, Mood};

/// Longest wait for anything that must happen; only a broken build waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Into one node: who speaks, and what.
type Lane = mpsc::UnboundedSender<(NodeId, Vec<u8>)>;

/// The network: who can be reached, and which nodes are cut off.
#[derive(Default)]
pub struct Net {
    lanes: Mutex<HashMap<u64, Lane>>,
    pub cut: Mutex<HashSet<u64>>,
}

impl Net {
    fn deliver(&self, from: NodeId, to: NodeId, message: Vec<u8>) -> bool {
        let cut = self.cut.lock().unwrap();
        if cut.contains(&from.0) || cut.contains(&to.0) {
            return false;
        }
        self.lanes.lock().unwrap().get(&to.0).is_some_and(|lane| lane.send((from, message)).is_ok())
    }
}

/// One node's way into the network.
struct Port {
    me: NodeId,
    net: Arc<Net>,
    handle: RaftHandle,
}

impl Transport for Port {
    fn send(&self, messages: Vec<Outgoing>) {
        for Outgoing { to, message, .. } in messages {
            if !self.net.deliver(self.me, to, message.to_vec()) {
                self.handle.unreachable(to);
            }
        }
    }

    fn send_snapshot(&self, snapshot: OutgoingSnapshot) {
        let whole = join_snapshot(&snapshot.message, snapshot.data.to_vec()).unwrap();
        let ok = self.net.deliver(self.me, snapshot.to, whole.to_vec());
        // The reader's thread is none of tokio's.
        futures::executor::block_on(self.handle.snapshot_sent(snapshot.to, ok));
    }
}

pub struct Cluster {
    config: Config,
    pub net: Arc<Net>,
    dirs: Vec<tempfile::TempDir>,
    disks: HashMap<u64, Arc<Disk>>,
    pub nodes: HashMap<u64, RaftParts>,
}

impl Cluster {
    pub async fn new(overrides: &[(&str, &str)]) -> Self {
        let mut all = vec![("raft.heartbeat_ms", "100"), ("raft.election_timeout_ms", "1500")];
        all.extend_from_slice(overrides);
        let dirs = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let mut cluster = Self {
            config: config(&all),
            net: Arc::default(),
            dirs,
            disks: HashMap::new(),
            nodes: HashMap::new(),
        };
        (1..=3).for_each(|id| cluster.start(id));
        cluster
    }

    fn dir(&self, id: u64) -> &Path {
        self.dirs[usize::try_from(id).unwrap() - 1].path()
    }

    pub fn start(&mut self, id: u64) {
        let me = NodeId(id);
        let (store, _) = open_store(&self.config, me, Some(self.dir(id))).unwrap();
        let disk = Arc::new(Disk::new(store));
        self.disks.insert(id, disk.clone());
        let (handle, seed) = seed();
        let (lane, mut arrived) = mpsc::unbounded_channel();
        self.net.lanes.lock().unwrap().insert(id, lane);
        let receiver = handle.clone();
        tokio::spawn(async move {
            while let Some((from, message)) = arrived.recv().await {
                let _ = receiver.incoming(from, vec![message.into()]).await;
            }
        });
        let start_with = Start {
            config: &self.config,
            me,
            store: disk,
            transport: Arc::new(Port { me, net: self.net.clone(), handle }),
            clock: Arc::new(SystemClock),
            metrics: RaftMetrics::new().unwrap(),
            boot_nonce: rand::random(),
            release: farquorum_node::Release::THIS,
        };
        self.nodes.insert(id, start(seed, start_with).unwrap());
    }

    pub async fn stop(&mut self, id: u64) {
        self.nodes.remove(&id).unwrap().stop().await.unwrap();
        self.net.lanes.lock().unwrap().remove(&id);
        self.disks.remove(&id);
    }

    /// From the next write on.
    pub fn disk(&self, id: u64, mood: Mood) {
        self.disks[&id].set(mood);
    }

    pub fn handle(&self, id: u64) -> &RaftHandle {
        &self.nodes[&id].handle
    }

    /// Waits until one of these leads and the others of them follow it.
    pub async fn leader_of(&self, ids: &[u64]) -> u64 {
        let agreed = async {
            loop {
                let known: Vec<_> = ids.iter().map(|id| self.handle(*id).status()).collect();
                let leading = ids.iter().zip(&known).find(|(_, status)| status.role == Role::Leader);
                match leading {
                    Some((id, it)) if known.iter().all(|status| status.leader == it.leader) => return *id,
                    _ => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, agreed).await.expect("a leader")
    }

    pub async fn set(&self, id: u64, key: &str) -> Result<LogIndex, RaftError> {
        let command = Command::KvSet { key: key.into(), value: key.repeat(3).into() };
        let applied = self.handle(id).propose(command, deadline_in(PATIENCE)).await?;
        assert_eq!(applied.outcome, Ok(Outcome::Set { revision: applied.index }));
        let view = self.handle(id).view();
        let revision = view.state.kv_get(key.as_bytes()).map(|entry| entry.revision);
        assert_eq!(revision, Some(applied.index), "the answer is that of {key}");
        Ok(applied.index)
    }

    /// Sets a key wherever the leader is by now.
    pub async fn set_anywhere(&self, ids: &[u64], key: &str) -> LogIndex {
        loop {
            let leader = self.leader_of(ids).await;
            match self.set(leader, key).await {
                Ok(index) => return index,
                Err(RaftError::NotLeader(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Waits until all of these have applied `index`, and compares their states at the same index.
    pub async fn agree(&self, ids: &[u64], index: LogIndex) {
        for id in ids {
            let mut applied = self.handle(*id).watch_applied();
            let reached = applied.wait_for(|at| *at >= index);
            tokio::time::timeout(PATIENCE, reached)
                .await
                .unwrap_or_else(|_| panic!("node {id} stays behind"))
                .unwrap();
        }
        let equal = async {
            loop {
                let views: Vec<_> = ids.iter().map(|id| self.handle(*id).view()).collect();
                if views.iter().all(|view| view.index == views[0].index) {
                    return views.iter().map(|view| view.state.hash()).collect::<Vec<_>>();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let hashes = tokio::time::timeout(PATIENCE, equal).await.expect("the same index");
        assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
    }
}

pub const ALL: &[u64] = &[1, 2, 3];

pub fn others(leader: u64) -> [u64; 2] {
    let mut others = ALL.iter().copied().filter(|id| *id != leader);
    [others.next().unwrap(), others.next().unwrap()]
}
