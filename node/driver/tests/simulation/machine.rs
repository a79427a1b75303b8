//! The state machine: a map of keys, and a chain of hashes over everything that was applied.

use std::collections::BTreeMap;

use bytes::Bytes;
use farquorum_driver::BOOTSTRAP;
use farquorum_driver::eraftpb::Entry;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) index: u64,
    pub(crate) chain: u64,
    pub(crate) keys: BTreeMap<u64, u64>,
}

/// What a client writes: a value under a key.
pub(crate) fn command(key: u64, value: u64) -> Bytes {
    [key.to_be_bytes(), value.to_be_bytes()].concat().into()
}

impl Default for Machine {
    fn default() -> Self {
        Self { index: BOOTSTRAP.index, chain: 0, keys: BTreeMap::new() }
    }
}

impl Machine {
    pub(crate) fn apply(&mut self, entry: &Entry) {
        assert_eq!(entry.index, self.index + 1, "entries are applied in order, each once");
        self.index = entry.index;
        self.chain = fold(self.chain, entry);
        let numbers = numbers(&entry.data);
        if let [key, value] = numbers[..] {
            self.keys.insert(key, value);
        }
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        let keys = self.keys.iter().flat_map(|(key, value)| [*key, *value]);
        [self.index, self.chain].into_iter().chain(keys).flat_map(u64::to_be_bytes).collect()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::default();
        }
        let numbers = numbers(bytes);
        let keys = numbers[2..].chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        Self { index: numbers[0], chain: numbers[1], keys }
    }
}

fn numbers(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).map(|chunk| u64::from_be_bytes(chunk.try_into().unwrap())).collect()
}

/// The hash of the chain after one more entry.
pub(crate) fn fold(chain: u64, entry: &Entry) -> u64 {
    let parts = [entry.index, entry.term].into_iter().chain(entry.data.iter().copied().map(u64::from));
    parts.fold(chain, |hash, part| (hash ^ part).wrapping_mul(0x0000_0100_0000_01b3))
}
