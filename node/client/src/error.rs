//! What a call can end in, other than its answer; each with the exit code of the command line.

use std::fmt;
use std::time::Duration;

use farquorum_tls::TlsError;
use thiserror::Error;

use crate::context::ContextError;
use crate::wire::Reason;

/// What a call ended in.
#[derive(Debug, Error)]
pub enum ClientError {
    /// No node did it in time: too few nodes, no leader, no way there. Nothing was done, or doing it was harmless.
    #[error("{what}: not available within {deadline:.1?}{}", Tried(tried))]
    NotAvailable {
        /// The call.
        what: &'static str,
        /// Each node that was tried, and what came of it the last time.
        tried: Vec<(String, String)>,
        /// How long it was tried.
        deadline: Duration,
    },
    /// The cluster answered that it does not do this.
    #[error("{what}: refused ({reason}): {message}")]
    Refused {
        /// The call.
        what: &'static str,
        /// Why.
        reason: Reason,
        /// Why, for people.
        message: String,
    },
    /// The request makes no sense.
    #[error("{what}: {message}")]
    Invalid {
        /// The call.
        what: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// What the request names does not exist.
    #[error("{what}: {message}")]
    NotFound {
        /// The call.
        what: &'static str,
        /// What does not exist.
        message: String,
    },
    /// The request was sent, and there is no telling whether it was done. Sending it again could do it twice.
    #[error(
        "{what}: sent to {node}, and then {cause}: it may have been done or not; look before you try again"
    )]
    OutcomeUnknown {
        /// The call.
        what: &'static str,
        /// Who got it.
        node: String,
        /// What happened.
        cause: String,
    },
    /// A node failed in a way that trying again does not help.
    #[error("{what}: {node} failed: {message}")]
    Failed {
        /// The call.
        what: &'static str,
        /// Which node.
        node: String,
        /// What it said.
        message: String,
    },
    /// The context cannot be used.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The settings cannot be used.
    #[error("{0}")]
    Settings(String),
}

impl ClientError {
    /// Exit code of the command line: 1 failed, 2 usage or configuration, 3 not available, 4 refused.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound { .. } | Self::Failed { .. } => 1,
            Self::Invalid { .. } | Self::Context(_) | Self::Tls(_) | Self::Settings(_) => 2,
            Self::NotAvailable { .. } | Self::OutcomeUnknown { .. } => 3,
            Self::Refused { .. } => 4,
        }
    }
}

struct Tried<'a>(&'a [(String, String)]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(node, reason)| write!(f, "\n  {node}: {reason}"))
    }
}
