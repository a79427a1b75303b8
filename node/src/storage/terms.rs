//! Terms of all entries of the log in a few numbers: a term only ever begins at one index and lasts until the next.

use std::collections::BTreeMap;

/// First index of each term that the log holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Terms(BTreeMap<u64, u64>);

impl Terms {
    /// The log goes on with this entry.
    pub(super) fn push(&mut self, index: u64, term: u64) {
        if self.0.last_key_value().is_none_or(|(_, last)| *last != term) {
            self.0.insert(index, term);
        }
    }

    /// Forgets this index and all after it.
    pub(super) fn cut_from(&mut self, index: u64) {
        self.0.split_off(&index);
    }

    /// Forgets this index and all before it.
    pub(super) fn cut_to(&mut self, index: u64) {
        let first = index.saturating_add(1);
        let term = self.get(first);
        self.0 = self.0.split_off(&first);
        if let Some(term) = term {
            self.0.insert(first, term);
        }
    }

    /// Term of an entry that the log holds.
    pub(super) fn get(&self, index: u64) -> Option<u64> {
        self.0.range(..=index).next_back().map(|(_, term)| *term)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_follow_the_log() {
        let mut terms = Terms::default();
        for (index, term) in [(4, 1), (5, 1), (6, 3), (7, 3), (8, 7)] {
            terms.push(index, term);
        }
        assert_eq!(
            [3, 4, 5, 6, 7, 8].map(|index| terms.get(index)),
            [None, Some(1), Some(1), Some(3), Some(3), Some(7)]
        );
        terms.cut_from(7);
        terms.push(7, 8);
        assert_eq!([6, 7].map(|index| terms.get(index)), [Some(3), Some(8)]);
        terms.cut_to(4);
        assert_eq!([4, 5, 6, 7].map(|index| terms.get(index)), [None, Some(1), Some(3), Some(8)]);
        terms.cut_to(7);
        assert_eq!(terms.get(7), None, "the whole log is gone");
    }
}
