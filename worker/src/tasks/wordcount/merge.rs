//! Merging sorted objects of `word TAB count LF` into one sorted stream.
//!
//! Memory: one piece of each input, never an input as a whole.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use bytes::{Buf, BytesMut};

use crate::tasks::TaskError;
use crate::tasks::object::DigestReader;

/// Longest line; a word is far shorter.
const LINE_BYTES_MAX: usize = 16 << 20;

/// A word and how often it was seen.
type Record = (Vec<u8>, u64);

/// One input: the records that are still to come.
struct Source {
    reader: DigestReader,
    buffer: BytesMut,
    /// The word before: the next one must be greater.
    last: Option<Vec<u8>>,
}

/// Yields each word once, in order, with the sum of its counts.
pub(super) struct Merge {
    sources: Vec<Source>,
    /// The next record of each source that has one, and the source's place.
    heads: BinaryHeap<Reverse<(Vec<u8>, usize, u64)>>,
}

impl Merge {
    pub(super) async fn new(readers: Vec<DigestReader>) -> Result<Self, TaskError> {
        let sources =
            readers.into_iter().map(|reader| Source { reader, buffer: BytesMut::new(), last: None });
        let mut merge = Self { sources: sources.collect(), heads: BinaryHeap::new() };
        for place in 0..merge.sources.len() {
            merge.refill(place).await?;
        }
        Ok(merge)
    }

    /// The next word; none once every input was read to its end and had the right digest.
    pub(super) async fn next(&mut self) -> Result<Option<Record>, TaskError> {
        let Some(Reverse((word, place, mut sum))) = self.heads.pop() else {
            return Ok(None);
        };
        self.refill(place).await?;
        while let Some(Reverse((_, place, count))) = self.pop_same(&word) {
            sum = sum.checked_add(count).ok_or_else(|| TaskError::fatal("a count is larger than 64 bits"))?;
            self.refill(place).await?;
        }
        Ok(Some((word, sum)))
    }

    fn pop_same(&mut self, word: &[u8]) -> Option<Reverse<(Vec<u8>, usize, u64)>> {
        let same = self.heads.peek().is_some_and(|Reverse((head, _, _))| head == word);
        if same { self.heads.pop() } else { None }
    }

    async fn refill(&mut self, place: usize) -> Result<(), TaskError> {
        if let Some(source) = self.sources.get_mut(place)
            && let Some((word, count)) = source.next().await?
        {
            self.heads.push(Reverse((word, place, count)));
        }
        Ok(())
    }
}

impl Source {
    async fn next(&mut self) -> Result<Option<Record>, TaskError> {
        let Some(line) = self.line().await? else {
            return Ok(None);
        };
        let Some((word, count)) = parse(&line) else {
            let text = format!("{} is damaged: a line is not \"word TAB count\"", self.reader.url());
            return Err(TaskError::transient(text));
        };
        if self.last.as_deref().is_some_and(|last| last >= word) {
            return Err(TaskError::transient(format!("{} is damaged: it is not sorted", self.reader.url())));
        }
        self.last = Some(word.to_vec());
        Ok(Some((word.to_vec(), count)))
    }

    /// The next line without its end.
    async fn line(&mut self) -> Result<Option<BytesMut>, TaskError> {
        let mut searched = 0;
        loop {
            let found = self.buffer.iter().skip(searched).position(|byte| *byte == b'\n');
            if let Some(end) = found {
                let line = self.buffer.split_to(searched.saturating_add(end));
                self.buffer.advance(1);
                return Ok(Some(line));
            }
            searched = self.buffer.len();
            match self.reader.next().await? {
                Some(piece) if searched <= LINE_BYTES_MAX => self.buffer.extend_from_slice(&piece),
                None if self.buffer.is_empty() => return Ok(None),
                _ => {
                    return Err(TaskError::transient(format!(
                        "{} is damaged: a line has no end",
                        self.reader.url()
                    )));
                }
            }
        }
    }
}

fn parse(line: &[u8]) -> Option<(&[u8], u64)> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let (word, count) = line.split_at(tab);
    let count = std::str::from_utf8(count).ok()?.strip_prefix('\t')?.parse().ok()?;
    Some((word, count))
}
