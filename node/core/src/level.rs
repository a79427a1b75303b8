//! What a member can read of the log (DEP-4): nobody may write what another member would misread.
//!
//! Members of several versions share one log while a cluster is updated node by node. An entry's bytes say which level
//! its reader needs; a reader below it stops in front of the entry instead of passing over it, since the nodes' states
//! would differ from there on. And a leader writes no entry above the lowest level among the members.

use std::fmt;

use minicbor::{Decode, Encode};

use crate::command::Command;

/// How much of the log's language a program knows. Grows by one in a version that can read a new kind of command, or a
/// new field that changes what one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Level(#[n(0)] pub u32);

impl Level {
    /// Of a program that does not say.
    pub const FIRST: Self = Self(1);
    /// Of this program.
    pub const THIS: Self = Self(1);

    /// As peers say it in a message without required fields: 0 when they say nothing.
    pub fn said(number: u32) -> Self {
        Self(number).max(Self::FIRST)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Command {
    /// The least level that reads this command as it is meant. A new kind gets the level of the version that brings it;
    /// so does a command in which a field that came later is set.
    pub fn level(&self) -> Level {
        match self {
            Self::SubmitTasks { .. }
            | Self::Assign { .. }
            | Self::Start { .. }
            | Self::Complete { .. }
            | Self::Fail { .. }
            | Self::Cancel { .. }
            | Self::Expire { .. }
            | Self::ExtendLeases { .. }
            | Self::RegisterWorker { .. }
            | Self::Heartbeat { .. }
            | Self::MarkWorker { .. }
            | Self::DeregisterWorker { .. }
            | Self::SubmitJob { .. }
            | Self::CancelJob { .. }
            | Self::KvSet { .. }
            | Self::KvDelete { .. }
            | Self::KvCompareAndSet { .. }
            | Self::Retain { .. } => Level::FIRST,
        }
    }
}
