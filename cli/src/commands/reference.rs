//! `farquorum job reference`: the expected result of a word count, by the simplest program that gives it: one process,
//! one map, everything in memory. It shares no code with the job's map, shuffle and reduce; it only follows the
//! documented format: text files are regular ones without a zero byte at their start (links are followed to files, not
//! to folders); words by Unicode segmentation, lower-cased; one line `word<TAB>count` each, in byte order; a word's part is the 64-bit FNV-1a
//! of its bytes modulo the number of parts.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use unicode_segmentation::UnicodeSegmentation as _;

use crate::failure::Failure;

/// A zero byte within so many first bytes: not text.
const SNIFF_BYTES: usize = 8 << 10;
/// FNV-1a, 64 bit (draft-eastlake-fnv).
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
/// Likewise.
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// Counts the words of all files in `input`.
pub(crate) fn count(input: &Path) -> Result<HashMap<String, u64>, Failure> {
    let mut counts = HashMap::new();
    for file in files(input)? {
        let bytes =
            std::fs::read(&file).map_err(|error| Failure::failed(format!("{}: {error}", file.display())))?;
        if bytes.iter().take(SNIFF_BYTES).any(|byte| *byte == 0) {
            continue;
        }
        for line in bytes.split(|byte| *byte == b'\n') {
            for word in String::from_utf8_lossy(line).unicode_words() {
                *counts.entry(word.to_lowercase()).or_insert(0) += 1;
            }
        }
    }
    Ok(counts)
}

/// The parts that a job with this many reducers must publish.
pub(crate) fn parts(counts: &HashMap<String, u64>, reducers: u32) -> Vec<Vec<u8>> {
    let mut words: Vec<(&String, &u64)> = counts.iter().collect();
    words.sort();
    let mut parts: Vec<Vec<u8>> = (0..reducers).map(|_| Vec::new()).collect();
    for (word, count) in words {
        let mut hash = FNV_OFFSET;
        for byte in word.as_bytes() {
            hash ^= u64::from(*byte);
            hash = hash.wrapping_mul(FNV_PRIME);
        }
        let part = usize::try_from(hash % u64::from(reducers.max(1))).unwrap_or(0);
        if let Some(part) = parts.get_mut(part) {
            part.extend_from_slice(format!("{word}\t{count}\n").as_bytes());
        }
    }
    parts
}

fn files(input: &Path) -> Result<Vec<PathBuf>, Failure> {
    let metadata =
        std::fs::metadata(input).map_err(|error| Failure::failed(format!("{}: {error}", input.display())))?;
    if metadata.is_file() {
        return Ok(vec![input.to_owned()]);
    }
    if !metadata.is_dir() {
        return Err(Failure::usage(format!("{}: neither a file nor a folder", input.display())));
    }
    let mut all = Vec::new();
    for entry in std::fs::read_dir(input)? {
        let path = entry?.path();
        let own = std::fs::symlink_metadata(&path)?;
        // Of what a link leads to, and of what is special (a pipe would be waited for), only regular files count.
        if own.is_dir() || std::fs::metadata(&path).is_ok_and(|target| target.is_file()) {
            all.extend(files(&path)?);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_unicode_and_lower_case() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "To be, or not to be: that's the QUESTION.\n").unwrap();
        std::fs::write(folder.path().join("b"), "Être ou ne pas être\n").unwrap();
        let counts = count(folder.path()).unwrap();
        for (word, expected) in [("to", 2), ("be", 2), ("that's", 1), ("question", 1), ("être", 2)] {
            assert_eq!(counts.get(word), Some(&expected), "{word}");
        }
    }

    #[test]
    fn every_word_is_in_one_part_and_parts_are_sorted() {
        let counts: HashMap<String, u64> = (1..=500_u64).map(|n| (format!("word{n}"), n)).collect();
        let parts = parts(&counts, 7);
        let mut lines = 0;
        for part in &parts {
            let text = String::from_utf8(part.clone()).unwrap();
            let words: Vec<&str> = text.lines().map(|line| line.split('\t').next().unwrap()).collect();
            assert!(words.is_sorted());
            lines += words.len();
        }
        assert_eq!((parts.len(), lines), (7, 500));
    }
}
