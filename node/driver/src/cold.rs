//! Entries that are no longer in memory and that a follower needs: fetched beside the loop, one fetch per start index.

use std::collections::BTreeMap;

use raft::GetEntriesContext;
use raft::eraftpb::Entry;

use crate::io::Fetch;

/// Fetches under way: more than peers that lag at different places never happens with seven nodes; beyond it a
/// follower is served at its next heartbeat answer.
const FETCHES_MAX: usize = 64;
/// Waiting calls for one fetch; beyond it they are served at the next heartbeat answer.
const CONTEXTS_MAX: usize = 16;

/// Fetches under way, and the one whose entries are just being handed over.
#[derive(Default)]
pub(crate) struct Cold {
    last_id: u64,
    waiting: BTreeMap<u64, (Fetch, Vec<GetEntriesContext>)>,
    new: Vec<Fetch>,
    arrived: Vec<Entry>,
}

impl Cold {
    /// Notes that `context` waits for the entries from `low` on.
    pub(crate) fn want(&mut self, low: u64, high: u64, max_bytes: u64, context: GetEntriesContext) {
        if let Some((_, contexts)) = self.waiting.values_mut().find(|(fetch, _)| fetch.low == low) {
            if contexts.len() < CONTEXTS_MAX {
                contexts.push(context);
            }
        } else if self.waiting.len() < FETCHES_MAX {
            self.last_id = self.last_id.wrapping_add(1);
            let fetch = Fetch { id: self.last_id, low, high, max_bytes };
            self.waiting.insert(fetch.id, (fetch, vec![context]));
            self.new.push(fetch);
        }
    }

    /// Fetches not put out yet.
    pub(crate) fn take_new(&mut self) -> Vec<Fetch> {
        std::mem::take(&mut self.new)
    }

    /// Keeps what a fetch brought until [`Cold::forget`], and gives the calls that waited for it.
    pub(crate) fn arrive(&mut self, id: u64, entries: Vec<Entry>) -> Vec<GetEntriesContext> {
        let Some((_, contexts)) = self.waiting.remove(&id) else { return Vec::new() };
        self.arrived = entries;
        contexts
    }

    /// What arrived, if it begins at `low`.
    pub(crate) fn arrived_at(&self, low: u64) -> Option<&[Entry]> {
        (self.arrived.first()?.index == low).then_some(self.arrived.as_slice())
    }

    /// Drops what arrived.
    pub(crate) fn forget(&mut self) {
        self.arrived = Vec::new();
    }
}
