//! All chance of a run, from its seed.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number of `low..high`.
    pub(crate) fn range(&mut self, low: u64, high: u64) -> u64 {
        self.0.random_range(low..high)
    }

    /// True in so many of a thousand cases.
    pub(crate) fn permille(&mut self, share: u64) -> bool {
        self.range(0, 1000) < share
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let at = self.range(0, u64::try_from(from.len()).unwrap());
        &from[usize::try_from(at).unwrap()]
    }
}
