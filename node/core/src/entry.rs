//! A log entry's bytes: a proposal, and the level that its reader needs.
//!
//! Every entry was encoded by a leader from a command. So bytes that do not decode are no request of a client that could
//! be refused: they are of a later version, or damaged, and no state may go on past them.

use minicbor::{Decode, Decoder, Encode};
use thiserror::Error;

use crate::codec;
use crate::command::{Command, Proposal};
use crate::ids::Millis;
use crate::level::Level;

/// Why an entry cannot be applied here. It must be neither applied nor passed over.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// Its writer says that this program would misread it.
    #[error(
        "a later version wrote it: reading it needs level {needed}, this program has level {}; start a version of \
         farquorum that has level {needed} or above",
        Level::THIS
    )]
    Level {
        /// As the entry says.
        needed: Level,
    },
    /// It holds something that this program does not know, and does not say which level that has.
    #[error(
        "it holds a kind of command or value that this program (level {}) does not know: {detail}",
        Level::THIS
    )]
    Unknown {
        /// What, and where.
        detail: String,
    },
    /// It is no proposal of any version.
    #[error("the log entry is no proposal: {0}")]
    Damaged(String),
}

/// How it stands in the log. Readers look at the level before they trust the rest.
#[derive(Encode)]
struct Written<'a> {
    #[n(0)]
    now: Millis,
    #[n(1)]
    command: &'a Command,
    /// Absent at the first level.
    #[n(2)]
    level: Option<Level>,
}

/// The part of it that every version can read.
#[derive(Decode)]
struct Envelope {
    #[n(2)]
    level: Option<Level>,
}

impl Proposal {
    /// The bytes of a log entry.
    pub fn encode(&self) -> Vec<u8> {
        let level = Some(self.command.level()).filter(|level| *level > Level::FIRST);
        codec::encode(&Written { now: self.now, command: &self.command, level })
    }

    /// From the bytes of a log entry; the whole of them must be one proposal.
    ///
    /// # Errors
    /// [`Unreadable`]: the state must not go on past this entry.
    pub fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut envelope = Decoder::new(bytes);
        if let Ok(Envelope { level: Some(needed) }) = envelope.decode()
            && needed > Level::THIS
        {
            return Err(Unreadable::Level { needed });
        }
        let mut decoder = Decoder::new(bytes);
        let proposal = decoder.decode().map_err(|error| {
            let detail = error.to_string();
            if error.is_unknown_variant() {
                Unreadable::Unknown { detail }
            } else {
                Unreadable::Damaged(detail)
            }
        })?;
        if decoder.position() != bytes.len() {
            let extra = bytes.len().saturating_sub(decoder.position());
            return Err(Unreadable::Damaged(format!("{extra} bytes follow it")));
        }
        Ok(proposal)
    }
}
