//! Word counts: `wordcount-map` and `wordcount-reduce`.
//!
//! A word is what Unicode segmentation (UAX #29) calls one, then lower-cased. Bytes that are no UTF-8 become U+FFFD,
//! line by line, and never fail a job. Intermediate and final objects have one form: lines `word TAB count LF`, sorted
//! by the bytes of the word, each word once.

mod map;
mod merge;
mod reduce;
mod words;

pub(super) use map::map;
pub(super) use reduce::reduce;
pub use words::partition_of;
