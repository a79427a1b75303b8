//! Periods of the emulator: who measures asks at the start and at the end, and results of a period in which packets
//! were late or lost do not count.

use std::collections::BTreeMap;

use farquorum_netem::wan::{Lateness, LatenessMark};

/// Marks that are kept, some 40 kB each: recordings that run at once, and those that never ended.
const MARKS_MAX: usize = 32;

/// Marks that were given out, by number.
pub(super) struct Periods {
    next: u64,
    /// Before anything was measured. Invariant: at most `MARKS_MAX` beside it.
    start: LatenessMark,
    marks: BTreeMap<u64, LatenessMark>,
}

impl Periods {
    /// `start` is what a period without a beginning is counted from.
    pub(super) fn new(start: LatenessMark) -> Self {
        Self { next: 1, start, marks: BTreeMap::new() }
    }

    /// The lateness from mark `since` to `now`, and the number under which `now` is known from here on.
    pub(super) fn end(&mut self, since: Option<u64>, now: LatenessMark) -> Result<(u64, Lateness), String> {
        let start = match since {
            None => &self.start,
            Some(number) => self
                .marks
                .get(&number)
                .ok_or_else(|| format!("period {number} is not known: only the last {MARKS_MAX} are"))?,
        };
        let lateness = now.since(start);
        let number = self.next;
        self.next += 1;
        if self.marks.len() == MARKS_MAX {
            self.marks.pop_first();
        }
        self.marks.insert(number, now);
        Ok((number, lateness))
    }
}
