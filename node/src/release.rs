//! What this program is to members of other versions (DEP-4): what it calls itself, how much of the log's language it
//! knows, and how it writes what others read.
//!
//! All of it is one value, so that a test can run the node of a version to come beside those of this one, in one cluster
//! and on the same data folders: that node writes what this version does not know.

use farquorum_core::{Command, Level, Proposal, State, Unreadable};

/// A version of this program.
#[derive(Clone, Copy, Debug)]
pub struct Release {
    /// As status shows it.
    pub version: &'static str,
    /// As it says to its peers.
    pub level: Level,
    /// Level that every member must have before this command may be written.
    pub level_of: fn(&Command) -> Level,
    /// The bytes of a log entry.
    pub write_entry: fn(&Proposal) -> Vec<u8>,
    /// And back. An entry that cannot be read ends the node.
    pub read_entry: fn(&[u8]) -> Result<Proposal, Unreadable>,
    /// The bytes of a snapshot.
    pub write_snapshot: fn(&State) -> Vec<u8>,
    /// What is added to the bytes of a Raft message.
    pub extend_message: fn(Vec<u8>) -> Vec<u8>,
}

impl Release {
    /// This program.
    pub const THIS: Self = Self {
        version: env!("CARGO_PKG_VERSION"),
        level: Level::THIS,
        level_of: Command::level,
        write_entry: Proposal::encode,
        read_entry: Proposal::decode,
        write_snapshot: |state| state.write_snapshot().flatten().collect(),
        extend_message: std::convert::identity,
    };
}
