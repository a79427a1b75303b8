//! Nodes with an instant network; each disk is instant too, unless a test holds it.

use std::collections::BTreeSet;
use std::sync::Arc;

use farquorum_driver::eraftpb::{ConfState, Entry, Message, MessageType};
use farquorum_driver::{
    Apply, Driver, Input, LogStore, MemoryLog, Outputs, Reply, RequestId, Role, Settings,
};
use farquorum_driver::{StoredSnapshot, Write};

pub(crate) struct Node {
    pub(crate) driver: Driver,
    pub(crate) log: MemoryLog,
    /// Writes that a held disk has not made.
    pub(crate) unwritten: Vec<Write>,
    pub(crate) disk_held: bool,
    /// The applier does nothing.
    pub(crate) applier_held: bool,
    pub(crate) applied: Vec<Entry>,
    pub(crate) restored: Vec<StoredSnapshot>,
    pub(crate) replies: Vec<Reply>,
    pub(crate) want_snapshot: bool,
    pub(crate) fetches: usize,
}

pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    /// Every message that was delivered or dropped, in order.
    pub(crate) sent: Vec<Message>,
    /// Nodes that nothing goes to or comes from.
    pub(crate) cut: BTreeSet<u64>,
    /// Kinds of messages that are lost.
    pub(crate) lost: BTreeSet<MessageType>,
}

pub(crate) fn settings(id: u64, voters: &[u64], learners: &[u64]) -> Settings {
    let mut settings = Settings::new(id, 1);
    settings.election_ticks_min = 10 + 3 * usize::try_from(id).unwrap();
    settings.election_ticks_max = settings.election_ticks_min + 1;
    settings.bootstrap =
        Some(ConfState { voters: voters.to_vec(), learners: learners.to_vec(), ..ConfState::default() });
    settings
}

pub(crate) fn request(node: u32, counter: u64) -> RequestId {
    RequestId { node, boot: 1, counter }
}

pub(crate) fn propose(counter: u64) -> Input {
    Input::Propose { id: request(1, counter), data: counter.to_be_bytes().to_vec().into() }
}

impl Cluster {
    /// `size` voters, node 1 leading.
    pub(crate) fn led_by_first(size: u64) -> Self {
        let ids: Vec<u64> = (1..=size).collect();
        let mut cluster = Self::new(ids.iter().map(|id| settings(*id, &ids, &[])).collect());
        cluster.tick_until_leader(1);
        cluster
    }

    pub(crate) fn new(settings: Vec<Settings>) -> Self {
        let mut cluster =
            Self { nodes: Vec::new(), sent: Vec::new(), cut: BTreeSet::new(), lost: BTreeSet::new() };
        for settings in settings {
            cluster.add(settings, MemoryLog::default());
        }
        cluster.settle();
        cluster
    }

    pub(crate) fn add(&mut self, settings: Settings, log: MemoryLog) {
        self.nodes.push(Node {
            driver: Driver::new(settings, Arc::new(log.clone())).unwrap(),
            log,
            unwritten: Vec::new(),
            disk_held: false,
            applier_held: false,
            applied: Vec::new(),
            restored: Vec::new(),
            replies: Vec::new(),
            want_snapshot: false,
            fetches: 0,
        });
    }

    pub(crate) fn node(&mut self, id: u64) -> &mut Node {
        &mut self.nodes[usize::try_from(id - 1).unwrap()]
    }

    pub(crate) fn role(&mut self, id: u64) -> Role {
        self.node(id).driver.status().role
    }

    pub(crate) fn give(&mut self, id: u64, input: Input) {
        self.node(id).driver.step(input).unwrap();
        self.settle();
    }

    /// One tick of this node, and all that follows from it.
    pub(crate) fn tick(&mut self, id: u64) {
        self.give(id, Input::Tick);
    }

    pub(crate) fn tick_all(&mut self, ticks: usize) {
        for _ in 0..ticks {
            for id in 1..=u64::try_from(self.nodes.len()).unwrap() {
                self.tick(id);
            }
        }
    }

    /// Ticks all nodes that are not cut; the one with the smallest id has the shortest timeout.
    pub(crate) fn tick_until_leader(&mut self, id: u64) {
        for _ in 0..100 {
            for node in 1..=u64::try_from(self.nodes.len()).unwrap() {
                if !self.cut.contains(&node) {
                    self.tick(node);
                }
            }
            if self.role(id) == Role::Leader {
                return self.tick_all(2);
            }
        }
        panic!("node {id} does not become leader");
    }

    /// A disk makes what it held back.
    pub(crate) fn release_disk(&mut self, id: u64) {
        self.node(id).disk_held = false;
        for write in std::mem::take(&mut self.node(id).unwritten) {
            self.node(id).log.write(&write).unwrap();
            self.node(id).driver.step(Input::Persisted { number: write.number }).unwrap();
        }
        self.settle();
    }

    /// Polls and delivers until nothing happens any more.
    pub(crate) fn settle(&mut self) {
        loop {
            let mut messages = Vec::new();
            for node in &mut self.nodes {
                loop {
                    let outputs = node.driver.poll();
                    let more = outputs.more;
                    let idle = node.take(outputs, &mut messages);
                    if idle && !more {
                        break;
                    }
                }
            }
            if messages.is_empty() {
                return;
            }
            for message in messages {
                self.deliver(message);
            }
        }
    }

    fn deliver(&mut self, message: Message) {
        self.sent.push(message.clone());
        let known = usize::try_from(message.to).is_ok_and(|to| to <= self.nodes.len());
        let lost = self.lost.contains(&message.get_msg_type());
        if known && !lost && !self.cut.contains(&message.to) && !self.cut.contains(&message.from) {
            let from = message.from;
            self.node(message.to).driver.step(Input::Message { from, message }).unwrap();
        }
    }
}

impl Node {
    /// Does what the driver wants done; true when that gave it no new input.
    fn take(&mut self, outputs: Outputs, messages: &mut Vec<Message>) -> bool {
        let mut idle = true;
        if let Some(write) = outputs.write {
            if self.disk_held {
                self.unwritten.push(write);
            } else {
                self.log.write(&write).unwrap();
                self.driver.step(Input::Persisted { number: write.number }).unwrap();
                idle = false;
            }
        }
        messages.extend(outputs.messages);
        for mut message in outputs.snapshots {
            self.log.snapshot().unwrap().unwrap().fill(&mut message);
            self.driver.step(Input::SnapshotSent { peer: message.to, ok: true }).unwrap();
            messages.push(message);
            idle = false;
        }
        for apply in outputs.apply {
            if self.applier_held {
                continue;
            }
            idle = false;
            let index = match apply {
                Apply::Restore(snapshot) => {
                    let index = snapshot.meta.position.index;
                    self.restored.push(snapshot);
                    index
                }
                Apply::Entries(entries) => self.apply(entries),
            };
            self.driver.step(Input::Applied { index }).unwrap();
        }
        for fetch in outputs.fetches {
            idle = false;
            self.fetches += 1;
            let entries = self.log.entries(fetch.low, fetch.high, fetch.max_bytes);
            self.driver.step(Input::Fetched { id: fetch.id, entries }).unwrap();
        }
        self.replies.extend(outputs.replies);
        self.want_snapshot |= outputs.want_snapshot;
        idle
    }

    fn apply(&mut self, entries: Vec<Entry>) -> u64 {
        for entry in &entries {
            if let Some(change) = farquorum_driver::conf_change_of(entry).unwrap() {
                self.driver.apply_conf_change(&change).unwrap();
            }
        }
        let index = entries.last().unwrap().index;
        self.applied.extend(entries);
        index
    }
}
