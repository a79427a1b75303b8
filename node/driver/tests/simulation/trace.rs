//! What happened: a hash over everything, and the last events for a person to read.

use std::collections::{BTreeMap, VecDeque};

const KEPT: usize = 200;

#[derive(Default)]
pub(crate) struct Trace {
    hash: u64,
    pub(crate) events: u64,
    /// How often each kind of event happened.
    pub(crate) counts: BTreeMap<&'static str, u64>,
    last: VecDeque<(u64, &'static str, [u64; 5])>,
}

impl Trace {
    pub(crate) fn note(&mut self, now: u64, what: &'static str, numbers: [u64; 5]) {
        for part in what.bytes().map(u64::from).chain([now]).chain(numbers) {
            // FNV-1a over words: quick, and the same on every machine.
            self.hash = (self.hash ^ part).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.events += 1;
        *self.counts.entry(what).or_default() += 1;
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back((now, what, numbers));
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn print(&self) {
        for (now, what, numbers) in &self.last {
            eprintln!(
                "  {:>9.3} ms  {what} {numbers:?}",
                std::time::Duration::from_micros(*now).as_secs_f64() * 1e3
            );
        }
    }
}
