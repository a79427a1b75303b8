//! Counting words in memory: fed in pieces, taken out by partition.

use std::collections::HashMap;

use unicode_segmentation::UnicodeSegmentation;

/// The partition of a word: FNV-1a (64 bit) of its UTF-8 bytes modulo the number of partitions. Part of the format:
/// all map tasks of a job must agree, whichever version runs them. 0 when there are no partitions.
pub fn partition_of(word: &str, partitions: u32) -> u32 {
    let hash = word.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash.checked_rem(u64::from(partitions)).and_then(|rest| u32::try_from(rest).ok()).unwrap_or_default()
}

/// Counts the words of a stream of bytes.
#[derive(Debug, Default)]
pub(super) struct WordCounter {
    counts: HashMap<String, u64>,
    /// Start of a line whose end has not come yet: a piece may end inside a word or a character.
    line: Vec<u8>,
}

impl WordCounter {
    pub(super) fn feed(&mut self, piece: &[u8]) {
        let Some(last) = piece.iter().rposition(|byte| *byte == b'\n') else {
            self.line.extend_from_slice(piece);
            return;
        };
        let (complete, rest) = piece.split_at(last.saturating_add(1));
        self.line.extend_from_slice(complete);
        let lines = std::mem::replace(&mut self.line, rest.to_vec());
        self.count(&lines);
    }

    /// Ends the stream: the words by partition, each sorted by its bytes. Partitions without words are left out.
    pub(super) fn finish(mut self, partitions: u32) -> Vec<(u32, Vec<(String, u64)>)> {
        let rest = std::mem::take(&mut self.line);
        self.count(&rest);
        let mut words: Vec<_> = self
            .counts
            .into_iter()
            .map(|(word, count)| (partition_of(&word, partitions), word, count))
            .collect();
        words.sort_unstable();
        let mut parts: Vec<(u32, Vec<(String, u64)>)> = Vec::new();
        for (partition, word, count) in words {
            match parts.last_mut() {
                Some((last, words)) if *last == partition => words.push((word, count)),
                _ => parts.push((partition, vec![(word, count)])),
            }
        }
        parts
    }

    fn count(&mut self, lines: &[u8]) {
        for line in lines.split(|byte| *byte == b'\n') {
            for word in String::from_utf8_lossy(line).unicode_words() {
                let word = word.to_lowercase();
                let count = self.counts.entry(word).or_default();
                *count = count.saturating_add(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of `text`, fed in pieces of `piece` bytes, as one sorted line.
    fn counted(text: &[u8], piece: usize) -> String {
        let mut counter = WordCounter::default();
        text.chunks(piece).for_each(|piece| counter.feed(piece));
        let parts = counter.finish(1);
        let words = parts.into_iter().flat_map(|(_, words)| words);
        words.map(|(word, count)| format!("{word}={count}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words_are_those_of_unicode() {
        for (text, expected) in [
            (&b""[..], ""),
            (b"The cat, the CAT!\n", "cat=2 the=2"),
            (b"can't 32.3 e-mail", "32.3=1 can't=1 e=1 mail=1"),
            ("Stra\u{df}e \u{c9}t\u{e9}\n\u{e9}t\u{e9}".as_bytes(), "stra\u{df}e=1 \u{e9}t\u{e9}=2"),
            (b"ab\xffcd\nef\xc3\n\xa9gh", "ab=1 cd=1 ef=1 gh=1"),
            (b"one\r\ntwo\r\n\n\n", "one=1 two=1"),
        ] {
            for piece in 1..=text.len().max(1) {
                assert_eq!(counted(text, piece), expected, "pieces of {piece}");
            }
        }
    }

    #[test]
    fn partitions_never_change() {
        // Reference values of FNV-1a 64: a job that runs while workers are updated depends on them.
        for (word, hash) in
            [("", 0xcbf2_9ce4_8422_2325_u64), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            for partitions in [1, 3, 1000] {
                assert_eq!(
                    u64::from(partition_of(word, partitions)),
                    hash % u64::from(partitions),
                    "{word:?}"
                );
            }
        }
        assert_eq!(partition_of("a", 0), 0);
    }
}
