//! The connection to one node, as far as it is: a state that the pool keeps and its tasks change.

use std::mem;
use std::time::Duration;

use tokio::time::Instant;
use tonic::transport::{Channel, Error};

/// A failure that nobody took is told to the next caller for this long; after it the node is tried anew.
const FRESH: Duration = Duration::from_secs(1);

/// How far the connection to a node is. Once made, the channel makes it again by itself.
#[derive(Default)]
pub(crate) enum Link {
    /// Not tried yet, or its failure was told.
    #[default]
    Idle,
    /// Somebody's task is at it.
    Connecting,
    /// Made.
    Open(Channel),
    /// Failed at this time; nobody was told yet.
    Failed(Error, Instant),
}

/// What a caller makes of a link.
pub(crate) enum Seen {
    /// It must be connected: the caller has become the one who does it.
    Connect,
    /// It is being connected.
    Pending,
    /// It is there, or failed: nothing was sent.
    Settled(Result<Channel, Error>),
}

impl Link {
    /// Looks at the link. A failure is told once: the next caller tries again.
    pub(crate) fn look(&mut self) -> Seen {
        match mem::replace(self, Self::Connecting) {
            Self::Failed(error, at) if at.elapsed() < FRESH => {
                *self = Self::Idle;
                Seen::Settled(Err(error))
            }
            Self::Idle | Self::Failed(..) => Seen::Connect,
            Self::Connecting => Seen::Pending,
            Self::Open(channel) => {
                *self = Self::Open(channel.clone());
                Seen::Settled(Ok(channel))
            }
        }
    }

    /// The end of the attempt.
    pub(crate) fn ended(&mut self, result: Result<Channel, Error>) {
        *self = match result {
            Ok(channel) => Self::Open(channel),
            Err(error) => Self::Failed(error, Instant::now()),
        };
    }
}
