//! The term of every entry in the log, as runs: terms change rarely, so the whole log needs a few numbers of memory,
//! and no question about a term ever touches the disk.

use crate::log::{LogError, LogPosition, LogStore};

/// Terms of `[truncated, last]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// First position of each term, ascending. Invariant: the first is the truncated position; never empty.
    runs: Vec<LogPosition>,
    last: u64,
}

impl Terms {
    /// An empty log that starts after this position.
    pub(crate) fn new(truncated: LogPosition) -> Self {
        Self { runs: vec![truncated], last: truncated.index }
    }

    /// Finds the runs in a store: terms never fall along a log, so each boundary is a binary search.
    pub(crate) fn load(store: &dyn LogStore, truncated: LogPosition, last: u64) -> Result<Self, LogError> {
        let mut terms = Self::new(truncated);
        let mut next = truncated.index.saturating_add(1);
        while next <= last {
            let term = store.term(next)?;
            terms.push(LogPosition { index: next, term });
            let (mut low, mut high) = (next.saturating_add(1), last.saturating_add(1));
            while low < high {
                let middle = low.midpoint(high);
                if store.term(middle)? == term {
                    low = middle.saturating_add(1);
                } else {
                    high = middle;
                }
            }
            next = low;
        }
        terms.last = last.max(truncated.index);
        Ok(terms)
    }

    /// Last index of the log.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// The position that the log starts after.
    pub(crate) fn truncated(&self) -> LogPosition {
        self.runs.first().copied().unwrap_or_default()
    }

    /// Term at this index; none outside `[truncated, last]`.
    pub(crate) fn term(&self, index: u64) -> Option<u64> {
        if index > self.last {
            return None;
        }
        let after = self.runs.partition_point(|run| run.index <= index);
        after.checked_sub(1).and_then(|at| self.runs.get(at)).map(|run| run.term)
    }

    /// Puts one entry at its index and forgets everything after it.
    pub(crate) fn append(&mut self, entry: LogPosition) {
        let keep = self.runs.partition_point(|run| run.index < entry.index).max(1);
        self.runs.truncate(keep);
        self.push(entry);
        self.last = entry.index;
    }

    /// Forgets everything before this position, which stays as the truncated one.
    pub(crate) fn truncate(&mut self, position: LogPosition) {
        if position.index <= self.truncated().index {
            return;
        }
        let gone = self.runs.partition_point(|run| run.index <= position.index);
        self.runs.splice(..gone, [position]);
        self.last = self.last.max(position.index);
    }

    fn push(&mut self, at: LogPosition) {
        if self.runs.last().is_none_or(|run| run.term != at.term) {
            self.runs.push(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(index: u64, term: u64) -> LogPosition {
        LogPosition { index, term }
    }

    #[test]
    fn runs_follow_appends_overwrites_and_truncation() {
        let mut terms = Terms::new(at(0, 0));
        for (index, term) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 4)] {
            terms.append(at(index, term));
        }
        let all = |terms: &Terms| (0..8).map(|index| terms.term(index)).collect::<Vec<_>>();
        assert_eq!(all(&terms), [Some(0), Some(1), Some(1), Some(2), Some(2), Some(4), None, None]);
        terms.append(at(4, 5));
        assert_eq!(all(&terms), [Some(0), Some(1), Some(1), Some(2), Some(5), None, None, None]);
        terms.truncate(at(2, 1));
        assert_eq!(all(&terms), [None, None, Some(1), Some(2), Some(5), None, None, None]);
        terms.truncate(at(4, 5));
        assert_eq!((terms.truncated(), terms.last(), terms.term(4)), (at(4, 5), 4, Some(5)));
    }
}
