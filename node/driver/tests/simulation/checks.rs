//! What must hold after every event, and at the end.

use std::collections::{BTreeMap, BTreeSet};

use farquorum_driver::eraftpb::Entry;
use farquorum_driver::{BOOTSTRAP, RequestId, Role, StateChange};

use crate::machine::fold;
use crate::node::Node;

#[derive(Default)]
pub(crate) struct Checks {
    /// The one leader of each term.
    leaders: BTreeMap<u64, u64>,
    /// The committed log, as the first node to apply an entry saw it: hash of the chain, id of the proposal.
    history: Vec<(u64, Option<RequestId>)>,
    /// Proposals that were answered, with their index.
    acknowledged: BTreeMap<RequestId, u64>,
    /// Proposals that were refused for certain.
    refused: BTreeSet<RequestId>,
    /// Highest index that anybody was told is committed.
    acknowledged_index: u64,
    /// Open reads, with what had been acknowledged before each.
    reads: BTreeMap<RequestId, u64>,
    pub(crate) reads_done: u64,
}

impl Checks {
    pub(crate) fn state(&mut self, node: u64, change: StateChange) {
        if change.role == Role::Leader {
            let leader = *self.leaders.entry(change.term).or_insert(node);
            assert_eq!(leader, node, "term {} has two leaders", change.term);
        }
    }

    /// `node` applied these. The first to apply an entry shows that it was committed: a majority must hold it durably.
    pub(crate) fn applied(&mut self, node: u64, entries: &[Entry], nodes: &[Node]) {
        for entry in entries {
            let at = usize::try_from(entry.index - BOOTSTRAP.index - 1).unwrap();
            if at == self.history.len() {
                let before = self.history.last().map_or(0, |(chain, _)| *chain);
                self.history.push((fold(before, entry), RequestId::of_entry(entry)));
                let voters = nodes.iter().filter(|other| other.is_voter()).count();
                let holds = |other: &&Node| other.is_voter() && other.disk.holds(entry.index, entry.term);
                let holding = nodes.iter().filter(holds).count();
                let (index, term) = (entry.index, entry.term);
                assert!(
                    holding * 2 > voters,
                    "node {node} applied entry {index} of term {term}, durable on {holding} of {voters} voters"
                );
            }
            assert!(at < self.history.len(), "node {node} applied {} beyond all others", entry.index);
            let before = at.checked_sub(1).map_or(0, |before| self.history[before].0);
            assert_eq!(
                fold(before, entry),
                self.history[at].0,
                "node {node} applied another entry {}",
                entry.index
            );
        }
    }

    pub(crate) fn acknowledge(&mut self, id: RequestId, index: u64) {
        assert!(!self.refused.contains(&id), "{id:?} was refused and is acknowledged");
        assert!(self.acknowledged.insert(id, index).is_none(), "{id:?} is acknowledged twice");
        self.acknowledged_index = self.acknowledged_index.max(index);
    }

    pub(crate) fn refuse(&mut self, id: RequestId) {
        let was_read = self.reads.remove(&id).is_some();
        let first = was_read || self.refused.insert(id);
        assert!(first && !self.acknowledged.contains_key(&id), "{id:?} is answered twice");
    }

    pub(crate) fn read(&mut self, id: RequestId) {
        self.reads.insert(id, self.acknowledged_index);
    }

    pub(crate) fn read_ready(&mut self, id: RequestId, index: u64, machine: u64) {
        let must_see = self.reads.remove(&id).expect("a read is answered once");
        assert!(index >= must_see && machine >= index, "stale read: {machine} and {index} at {must_see}");
        self.reads_done += 1;
    }

    pub(crate) fn is_acknowledged(&self, id: RequestId) -> bool {
        self.acknowledged.contains_key(&id)
    }

    /// Last index that anybody applied.
    pub(crate) fn last_index(&self) -> u64 {
        BOOTSTRAP.index + u64::try_from(self.history.len()).unwrap()
    }

    /// Nothing acknowledged is lost, nothing refused happened, nothing happened twice, all nodes hold the same.
    pub(crate) fn end(&self, nodes: &[Node]) {
        let mut places = BTreeMap::new();
        for ((_, id), index) in self.history.iter().zip(BOOTSTRAP.index + 1..) {
            if let Some(id) = id {
                assert!(places.insert(*id, index).is_none(), "{id:?} is in the log twice");
                assert!(!self.refused.contains(id), "{id:?} was refused and is in the log");
            }
        }
        for (id, index) in &self.acknowledged {
            assert_eq!(places.get(id), Some(index), "{id:?} was acknowledged and is lost");
        }
        let (chain, last) = (self.history.last().map_or(0, |(chain, _)| *chain), self.last_index());
        for node in nodes {
            assert_eq!((node.machine.index, node.machine.chain), (last, chain), "node {} differs", node.id);
            assert_eq!(node.machine.keys, nodes[0].machine.keys, "node {} differs", node.id);
        }
    }
}
