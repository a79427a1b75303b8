//! A second witness of how far the log was synced.
//!
//! RocksDB cannot see a log that was cut exactly between two records, nor one whose end reads as zeros: both look
//! like a shorter log. And when it does see a torn end, it cannot say whether that end was ever synced. So after every
//! fsync, and before anything is acknowledged, the sequence number that it made durable is written to a file beside
//! the log, together with the kernel's boot id, without a second fsync.
//!
//! - The log comes back shorter than the witness says: its tail is in doubt.
//! - Its end is torn, but it reaches as far as the witness says, and the machine has not been restarted since (so that
//!   no write to the witness can be missing): what is torn was never acknowledged; this is a process that was killed
//!   while it wrote.
//! - The machine was restarted: the witness may be old, and a torn end stays in doubt.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::StorageError;

/// File name in the data folder.
pub(super) const FILE: &str = "SYNCED";

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// RocksDB's sequence number up to which everything was synced.
    pub(super) sequence: u64,
    /// Whether the kernel still runs that it was said under.
    pub(super) same_boot: bool,
}

/// The open file.
pub(super) struct Witness {
    file: File,
    path: PathBuf,
    boot: u32,
}

impl Witness {
    /// Opens or makes the file; also what it says. None: there was none, or it was torn (it is not synced), and
    /// nothing can be said.
    pub(super) fn open(dir: &Path) -> Result<(Self, Option<Statement>), StorageError> {
        let path = dir.join(FILE);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(StorageError::io("open", &path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(StorageError::io("read", &path))?;
        let boot = boot_id()?;
        let statement =
            decode(&bytes).map(|(sequence, said)| Statement { sequence, same_boot: said == boot });
        Ok((Self { file, path, boot }, statement))
    }

    /// Notes that everything up to this sequence number is on the disk.
    pub(super) fn note(&self, sequence: u64) -> Result<(), StorageError> {
        self.file.write_all_at(&encode(sequence, self.boot), 0).map_err(StorageError::io("write", &self.path))
    }
}

/// The kernel's random name of this boot, shortened.
fn boot_id() -> Result<u32, StorageError> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    let id = fs::read(path).map_err(StorageError::io("read", path))?;
    Ok(crc32fast::hash(&id))
}

/// `sequence u64 | boot u32 | crc u32`, little-endian.
fn encode(sequence: u64, boot: u32) -> Vec<u8> {
    let mut bytes = sequence.to_le_bytes().to_vec();
    bytes.extend_from_slice(&boot.to_le_bytes());
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<(u64, u32)> {
    let (content, crc) = bytes.split_at_checked(12)?;
    let (sequence, boot) = content.split_at_checked(8)?;
    (crc == crc32fast::hash(content).to_le_bytes()).then_some(())?;
    Some((u64::from_le_bytes(sequence.try_into().ok()?), u32::from_le_bytes(boot.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_witness_says_nothing() {
        let whole = encode(7, 9);
        assert_eq!(decode(&whole), Some((7, 9)));
        for len in 0..whole.len() {
            assert_eq!(decode(&whole[..len]), None);
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&flipped), None, "bit {bit}");
        }
    }

    /// As version 0.1 wrote it: a node that is updated must not take its own log for cut.
    #[test]
    fn the_form_stays() {
        let bytes = encode(0x0102_0304_0506_0708, 0x0a0b_0c0d);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "08070605040302010d0c0b0aaa1d302e");
    }

    #[test]
    fn what_is_noted_is_said_again() {
        let dir = tempfile::tempdir().unwrap();
        let (witness, before) = Witness::open(dir.path()).unwrap();
        assert_eq!(before, None);
        witness.note(41).unwrap();
        witness.note(42).unwrap();
        let (_, after) = Witness::open(dir.path()).unwrap();
        assert_eq!(after, Some(Statement { sequence: 42, same_boot: true }));
    }
}
