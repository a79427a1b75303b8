//! Three whole Raft parts in one process, each with RocksDB in a folder of its own, joined by a network that can cut.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, also outside its #[test] function"
)]

mod common;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::config;
use farquorum_config::{Config, NodeId};
use farquorum_core::{Command, LogIndex, Outcome};
use farquorum_node::clock::SystemClock;
use farquorum_node::raft::{
    RaftError, RaftHandle, RaftMetrics, RaftParts, Role, Start, deadline_in, join_snapshot, seed, start,
};
use farquorum_node::storage::open_store;
use farquorum_node::transport::{Outgoing, OutgoingSnapshot, Transport};
use tokio::sync::mpsc;

/// Longest wait for anything that must happen; only a broken build waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Into one node: who speaks, and what.
type Lane = mpsc::UnboundedSender<(NodeId, Vec<u8>)>;

/// The network: who can be reached, and which nodes are cut off.
#[derive(Default)]
struct Net {
    lanes: Mutex<HashMap<u64, Lane>>,
    cut: Mutex<HashSet<u64>>,
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

struct Cluster {
    config: Config,
    net: Arc<Net>,
    dirs: Vec<tempfile::TempDir>,
    nodes: HashMap<u64, RaftParts>,
}

impl Cluster {
    async fn new(overrides: &[(&str, &str)]) -> Self {
        let mut all = vec![("raft.heartbeat_ms", "50"), ("raft.election_timeout_ms", "500")];
        all.extend_from_slice(overrides);
        let dirs = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let mut cluster = Self { config: config(&all), net: Arc::default(), dirs, nodes: HashMap::new() };
        (1..=3).for_each(|id| cluster.start(id));
        cluster
    }

    fn dir(&self, id: u64) -> &Path {
        self.dirs[usize::try_from(id).unwrap() - 1].path()
    }

    fn start(&mut self, id: u64) {
        let me = NodeId(id);
        let (store, _) = open_store(&self.config, me, Some(self.dir(id))).unwrap();
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
            store,
            transport: Arc::new(Port { me, net: self.net.clone(), handle }),
            clock: Arc::new(SystemClock),
            metrics: RaftMetrics::new().unwrap(),
            boot_nonce: rand::random(),
        };
        self.nodes.insert(id, start(seed, start_with).unwrap());
    }

    async fn stop(&mut self, id: u64) {
        self.nodes.remove(&id).unwrap().stop().await.unwrap();
        self.net.lanes.lock().unwrap().remove(&id);
    }

    fn handle(&self, id: u64) -> &RaftHandle {
        &self.nodes[&id].handle
    }

    /// Waits until one of these leads and the others of them follow it.
    async fn leader_of(&self, ids: &[u64]) -> u64 {
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

    async fn set(&self, id: u64, key: &str) -> Result<LogIndex, RaftError> {
        let command = Command::KvSet { key: key.into(), value: key.repeat(3).into() };
        let applied = self.handle(id).propose(command, deadline_in(PATIENCE)).await?;
        assert_eq!(applied.outcome, Ok(Outcome::Set { revision: applied.index }));
        let view = self.handle(id).view();
        let revision = view.state.kv_get(key.as_bytes()).map(|entry| entry.revision);
        assert_eq!(revision, Some(applied.index), "the answer is that of {key}");
        Ok(applied.index)
    }

    /// Sets a key wherever the leader is by now.
    async fn set_anywhere(&self, ids: &[u64], key: &str) -> LogIndex {
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
    async fn agree(&self, ids: &[u64], index: LogIndex) {
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

const ALL: &[u64] = &[1, 2, 3];

fn others(leader: u64) -> [u64; 2] {
    let mut others = ALL.iter().copied().filter(|id| *id != leader);
    [others.next().unwrap(), others.next().unwrap()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_proposals_at_once_are_applied_alike_and_survive() {
    let mut cluster = Cluster::new(&[]).await;
    let leader = cluster.leader_of(ALL).await;
    let names: Vec<_> = (0..1000).map(|n| format!("key-{n}")).collect();
    let set = futures::future::join_all(names.iter().map(|name| cluster.set(leader, name))).await;
    let indexes: HashSet<_> = set.into_iter().map(Result::unwrap).collect();
    assert_eq!(indexes.len(), 1000, "each has an entry of its own");
    let last = *indexes.iter().max().unwrap();
    cluster.agree(ALL, last).await;
    let before = cluster.handle(leader).view().state.kv_get(b"key-7").cloned();
    assert!(before.is_some());

    for id in ALL {
        cluster.stop(*id).await;
    }
    ALL.iter().for_each(|id| cluster.start(*id));
    let leader = cluster.leader_of(ALL).await;
    let view = cluster.handle(leader).read(deadline_in(PATIENCE)).await.unwrap();
    assert!(view.index >= last);
    assert!(names.iter().all(|name| view.state.kv_get(name.as_bytes()).is_some()));
    assert_eq!(view.state.kv_get(b"key-7").cloned(), before);
    cluster.agree(ALL, last).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_refuses_and_names_the_leader_but_reads() {
    let cluster = Cluster::new(&[]).await;
    let leader = cluster.leader_of(ALL).await;
    let index = cluster.set(leader, "a").await.unwrap();
    for follower in others(leader) {
        match cluster.set(follower, "b").await {
            Err(RaftError::NotLeader(it)) => assert_eq!(it.id, Some(NodeId(leader))),
            other => panic!("{other:?}"),
        }
        let view = cluster.handle(follower).read(deadline_in(PATIENCE)).await.unwrap();
        assert!(view.index >= index && view.state.kv_get(b"a").is_some());
        let transfer = cluster.handle(follower).transfer(None, deadline_in(PATIENCE)).await;
        assert!(matches!(transfer, Err(RaftError::NotLeader(_))), "{transfer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_stops_hands_over_and_comes_back_as_a_follower() {
    let mut cluster = Cluster::new(&[]).await;
    let first = cluster.leader_of(ALL).await;
    cluster.set(first, "a").await.unwrap();
    let rest = others(first);
    let term = cluster.handle(first).status().leader.term;
    cluster.stop(first).await;
    let second = cluster.leader_of(&rest).await;
    let status = cluster.handle(second).status();
    assert_eq!(status.leader.term, term + 1, "one vote, no election by timeout");
    let index = cluster.set_anywhere(&rest, "b").await;
    cluster.start(first);
    cluster.agree(ALL, index).await;
    assert_eq!(cluster.handle(second).status().leader, status.leader, "nobody was disturbed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_without_a_majority_commits_nothing() {
    let cluster = Cluster::new(&[]).await;
    let old = cluster.leader_of(ALL).await;
    let before = cluster.set(old, "a").await.unwrap();
    cluster.net.cut.lock().unwrap().insert(old);
    let lost = Command::KvSet { key: b"lost".to_vec(), value: vec![1] };
    let error = cluster.handle(old).propose(lost, deadline_in(Duration::from_millis(300))).await.unwrap_err();
    assert_eq!(error, RaftError::Deadline);
    let rest = others(old);
    let index = cluster.set_anywhere(&rest, "b").await;
    assert!(index > before && cluster.handle(old).view().state.kv_get(b"lost").is_none());
    let read = cluster.handle(old).read(deadline_in(Duration::from_millis(300))).await;
    assert!(read.is_err(), "no read without a majority");
    cluster.net.cut.lock().unwrap().clear();
    cluster.agree(ALL, index).await;
    assert!(ALL.iter().all(|id| cluster.handle(*id).view().state.kv_get(b"lost").is_none()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_away_longer_than_the_log_reaches_gets_a_snapshot() {
    let small = [("raft.snapshot_every_entries", "100"), ("raft.log_keep_entries", "10")];
    let mut cluster = Cluster::new(&small).await;
    let leader = cluster.leader_of(ALL).await;
    let [away, stays] = others(leader);
    let seen = cluster.set(leader, "first").await.unwrap();
    cluster.agree(ALL, seen).await;
    cluster.stop(away).await;
    let mut last = seen;
    for n in 0..500 {
        last = cluster.set_anywhere(&[leader, stays], &format!("key-{n}")).await;
    }
    let mut status = cluster.handle(leader).watch_status();
    let compacted = status.wait_for(|status| status.first_index > seen.0 + 100);
    tokio::time::timeout(PATIENCE, compacted).await.expect("the log is compacted").unwrap();
    cluster.start(away);
    last = last.max(cluster.set_anywhere(&[leader, stays], "while it catches up").await);
    cluster.agree(ALL, last).await;
    assert!(cluster.handle(away).status().first_index > seen.0 + 1, "by snapshot, not by entries");
    // Its log begins after the snapshot: what it restored must be on its disk too.
    cluster.stop(away).await;
    cluster.start(away);
    cluster.agree(ALL, last).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_proposals_are_refused_at_once() {
    let cluster = Cluster::new(&[("limits.proposals_max", "16")]).await;
    let leader = cluster.leader_of(ALL).await;
    cluster.set(leader, "a").await.unwrap();
    cluster.net.cut.lock().unwrap().insert(leader);
    let command = || Command::KvSet { key: b"k".to_vec(), value: vec![0] };
    let soon = deadline_in(Duration::from_millis(200));
    let results =
        futures::future::join_all((0..40).map(|_| cluster.handle(leader).propose(command(), soon))).await;
    let refused =
        results.iter().filter(|it| matches!(it, Err(RaftError::Overloaded { max: 16, .. }))).count();
    assert_eq!(refused, 24, "{results:?}");
}
