//! How an entry and a small record stand in the database: with a CRC-32, and each entry chained to the one before it.
//!
//! RocksDB has checksums of its own for its blocks and its WAL; these guard what it cannot know: that a record is the
//! successor of its predecessor, and that none is missing in between.
//! Entry: `crc u32 | crc of the predecessor u32 | content`, the CRC over everything but itself and over the index.

use thiserror::Error;

/// Checksum of an entry; also the link that its successor carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Link(pub(super) u32);

/// What does not fit.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum BadRecord {
    #[error("{0} bytes are too few for a record")]
    Short(usize),
    #[error("checksum is {found:08x}, {stored:08x} is stored")]
    Checksum { stored: u32, found: u32 },
    #[error("follows an entry with checksum {stored:08x}, the one before has {expected:08x}")]
    Chain { stored: u32, expected: u32 },
}

/// The record of an entry after one with link `before`, and its own link.
pub(super) fn seal_entry(before: Link, index: u64, content: &[u8]) -> (Link, Vec<u8>) {
    let link = Link(entry_crc(before.0, index, content));
    let mut record = Vec::with_capacity(8 + content.len());
    record.extend_from_slice(&link.0.to_le_bytes());
    record.extend_from_slice(&before.0.to_le_bytes());
    record.extend_from_slice(content);
    (link, record)
}

/// Link and content of an entry's record; checked against its predecessor's link when that is known.
pub(super) fn open_entry(
    before: Option<Link>,
    index: u64,
    record: &[u8],
) -> Result<(Link, &[u8]), BadRecord> {
    let short = || BadRecord::Short(record.len());
    let (crc, rest) = split_u32(record).ok_or_else(short)?;
    let (stored_before, content) = split_u32(rest).ok_or_else(short)?;
    let found = entry_crc(stored_before, index, content);
    if found != crc {
        return Err(BadRecord::Checksum { stored: crc, found });
    }
    match before {
        Some(Link(expected)) if expected != stored_before => {
            Err(BadRecord::Chain { stored: stored_before, expected })
        }
        _ => Ok((Link(crc), content)),
    }
}

/// A record that stands alone: `crc u32 | content`. The key is part of the checksum.
pub(super) fn seal(key: &[u8], content: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(4 + content.len());
    record.extend_from_slice(&crc(&[key, content]).to_le_bytes());
    record.extend_from_slice(content);
    record
}

/// Content of a record that stands alone.
pub(super) fn open<'a>(key: &[u8], record: &'a [u8]) -> Result<&'a [u8], BadRecord> {
    let (stored, content) = split_u32(record).ok_or(BadRecord::Short(record.len()))?;
    let found = crc(&[key, content]);
    if found == stored { Ok(content) } else { Err(BadRecord::Checksum { stored, found }) }
}

fn entry_crc(before: u32, index: u64, content: &[u8]) -> u32 {
    crc(&[&before.to_le_bytes(), &index.to_be_bytes(), content])
}

fn crc(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

fn split_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_at_checked(4)?;
    Some((u32::from_le_bytes(number.try_into().ok()?), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_form_a_chain() {
        let (one, first) = seal_entry(Link(7), 1, b"a");
        let (two, second) = seal_entry(one, 2, b"b");
        assert_eq!(open_entry(Some(Link(7)), 1, &first), Ok((one, b"a".as_slice())));
        assert_eq!(open_entry(Some(one), 2, &second), Ok((two, b"b".as_slice())));
        assert_eq!(open_entry(None, 2, &second), Ok((two, b"b".as_slice())));
        assert!(matches!(open_entry(Some(Link(7)), 2, &second), Err(BadRecord::Chain { .. })));
        assert!(
            matches!(open_entry(Some(one), 3, &second), Err(BadRecord::Checksum { .. })),
            "another index"
        );
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_seen() {
        let (_, entry) = seal_entry(Link(1), 9, b"content");
        let alone = seal(b"key", b"content");
        for bit in 0..entry.len() * 8 {
            let mut flipped = entry.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open_entry(Some(Link(1)), 9, &flipped).is_err(), "entry, bit {bit}");
        }
        for bit in 0..alone.len() * 8 {
            let mut flipped = alone.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(open(b"key", &flipped).is_err(), "alone, bit {bit}");
        }
        for len in 0..entry.len() {
            assert!(open_entry(Some(Link(1)), 9, &entry[..len]).is_err(), "entry cut to {len}");
        }
        assert!(open(b"other key", &alone).is_err());
    }
}
