//! The network: delay, loss, duplicates, reordering, and links that are cut in one direction or both.

use std::collections::BTreeSet;

use crate::dice::Dice;

pub(crate) struct Network {
    /// Longest delay of a message in microseconds; the shortest is none at all.
    pub(crate) delay_max: u64,
    pub(crate) loss_permille: u64,
    pub(crate) duplicate_permille: u64,
    /// Directed links that carry nothing.
    pub(crate) cut: BTreeSet<(u64, u64)>,
}

impl Network {
    pub(crate) fn new(dice: &mut Dice) -> Self {
        Self {
            delay_max: *dice.pick(&[1, 2_000, 10_000, 30_000]),
            loss_permille: *dice.pick(&[0, 0, 20, 100]),
            duplicate_permille: *dice.pick(&[0, 20, 100]),
            cut: BTreeSet::new(),
        }
    }

    /// When the copies of a message arrive: none, one or two delays.
    pub(crate) fn send(&self, from: u64, to: u64, dice: &mut Dice) -> Vec<u64> {
        if self.cut.contains(&(from, to)) || dice.permille(self.loss_permille) {
            return Vec::new();
        }
        let copies = if dice.permille(self.duplicate_permille) { 2 } else { 1 };
        (0..copies).map(|_| if dice.permille(300) { 0 } else { dice.range(0, self.delay_max) }).collect()
    }

    pub(crate) fn heal(&mut self) {
        *self = Self { delay_max: 5_000, loss_permille: 0, duplicate_permille: 0, cut: BTreeSet::new() };
    }
}
