//! The state hash (MAN-5): equal states, equal hashes, and a change of one record costs the hashing of that record.
//!
//! Each record is hashed on its own with BLAKE3 over (table, encoding); the results are summed as four lanes modulo
//! 2^64. Addition commutes and can be undone, so the sum depends on the set of records only, not on the way there.
//! That is sound enough to find nodes that differ by mistake: two different sets have equal sums with a chance of
//! about 2^-256. It is no defence against somebody who chooses records to collide (the generalised birthday attack
//! breaks such sums); whoever can write the log needs no collision.

use std::fmt;

use minicbor::Encode;

use crate::codec;

/// Hash of a whole state.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StateHash(pub [u8; 32]);

impl fmt::Display for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateHash({self})")
    }
}

/// What a hashed record belongs to; never reuse a letter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Table {
    Task,
    TaskSpec,
    Worker,
    Job,
    JobSpec,
    Kv,
}

impl Table {
    fn tag(self) -> u8 {
        match self {
            Self::Task => b't',
            Self::TaskSpec => b's',
            Self::Worker => b'w',
            Self::Job => b'j',
            Self::JobSpec => b'p',
            Self::Kv => b'k',
        }
    }
}

/// The sum over all records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum([u64; 4]);

impl Sum {
    pub(crate) fn add<T: Encode<()>>(&mut self, table: Table, record: &T) {
        self.each(table, record, u64::wrapping_add);
    }

    pub(crate) fn subtract<T: Encode<()>>(&mut self, table: Table, record: &T) {
        self.each(table, record, u64::wrapping_sub);
    }

    /// The hash of this sum together with what belongs to no record.
    pub(crate) fn finish(&self, scalars: &[u64]) -> StateHash {
        let mut hasher = blake3::Hasher::new();
        for number in self.0.iter().chain(scalars) {
            hasher.update(&number.to_le_bytes());
        }
        StateHash(hasher.finalize().into())
    }

    fn each<T: Encode<()>>(&mut self, table: Table, record: &T, combine: fn(u64, u64) -> u64) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[table.tag()]).update(&codec::encode(record));
        let digest = hasher.finalize();
        let (words, _) = digest.as_bytes().as_chunks::<8>();
        for (lane, word) in self.0.iter_mut().zip(words) {
            *lane = combine(*lane, u64::from_le_bytes(*word));
        }
    }
}
