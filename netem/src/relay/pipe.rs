//! The bytes of one direction of one connection, each piece with the time of its release. Pure.
//!
//! Guarantees: bytes come out in the order in which they went in, none is lost or doubled, and none comes out before
//! its time. The bound is the caller's: it asks [`Pipe::held`] before it puts more in.

use std::collections::VecDeque;

/// What a piece costs beside its bytes: its time and length. Counted, so that a million pieces of one byte are not
/// taken for a megabyte.
const PIECE_BYTES: usize = size_of::<(u64, usize)>();
/// Room that an empty queue keeps: what comes next mostly fits, and a burst's memory is given back.
const KEPT_BYTES: usize = 16 << 10;

/// How a direction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The sender has nothing more to say.
    Finished,
    /// The connection is broken.
    Reset,
}

/// A queue of bytes.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    bytes: VecDeque<u8>,
    /// Release time and length of what is not due yet. Invariant: times never go back.
    pieces: VecDeque<(u64, usize)>,
    /// Bytes at the front that are due.
    ripe: usize,
    end: Option<(u64, End)>,
}

impl Pipe {
    /// Puts bytes in that are due at `at_ns`, or when those before them are, if that is later.
    pub(super) fn push(&mut self, bytes: &[u8], at_ns: u64) {
        self.bytes.extend(bytes);
        let at_ns = self.after_the_last(at_ns);
        match self.pieces.back_mut() {
            Some((last_ns, length)) if *last_ns == at_ns => *length += bytes.len(),
            _ => self.pieces.push_back((at_ns, bytes.len())),
        }
    }

    /// Ends the direction behind the last byte, at `at_ns` or later.
    pub(super) fn finish(&mut self, end: End, at_ns: u64) {
        self.end = Some((self.after_the_last(at_ns), end));
    }

    /// Releases what is due; tells of each piece how late it is, in nanoseconds, and its length.
    pub(super) fn ripen(&mut self, now_ns: u64, mut tell: impl FnMut(u64, usize)) {
        while let Some((at_ns, length)) = self.pieces.front().copied().filter(|(at_ns, _)| *at_ns <= now_ns) {
            self.pieces.pop_front();
            self.ripe += length;
            tell(now_ns - at_ns, length);
        }
    }

    /// Bytes that are due; perhaps not all of them, but some when there are any.
    pub(super) fn ready(&self) -> &[u8] {
        let (front, _) = self.bytes.as_slices();
        front.get(..self.ripe).unwrap_or(front)
    }

    /// Takes bytes out that [`Pipe::ready`] gave.
    pub(super) fn consume(&mut self, bytes: usize) {
        let bytes = bytes.min(self.ripe);
        self.bytes.drain(..bytes);
        self.ripe -= bytes;
        if self.bytes.is_empty() {
            self.bytes.shrink_to(KEPT_BYTES);
            self.pieces.shrink_to(KEPT_BYTES / PIECE_BYTES);
        }
    }

    /// The end, once it is due and every byte before it is out.
    pub(super) fn ended(&self, now_ns: u64) -> Option<End> {
        self.end.filter(|(at_ns, _)| self.bytes.is_empty() && *at_ns <= now_ns).map(|(_, end)| end)
    }

    /// When there is something to release next. What is due already waits for its receiver, not for a time.
    pub(super) fn next_ns(&self) -> Option<u64> {
        let end_ns = || self.end.filter(|_| self.ripe == 0).map(|(at_ns, _)| at_ns);
        self.pieces.front().map(|(at_ns, _)| *at_ns).or_else(end_ns)
    }

    /// Bytes inside, with what their release times take.
    pub(super) fn held(&self) -> usize {
        self.bytes.len() + self.pieces.len() * PIECE_BYTES
    }

    fn after_the_last(&self, at_ns: u64) -> u64 {
        self.pieces.back().map_or(at_ns, |(last_ns, _)| at_ns.max(*last_ns))
    }
}

#[cfg(test)]
#[path = "pipe_tests.rs"]
mod tests;
