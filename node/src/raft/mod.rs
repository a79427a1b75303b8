//! The tokio loop around the driver. It decides nothing: it moves inputs to the driver and outputs to the disk, the
//! network, the applier and those who wait.
//!
//! ```text
//! handle --requests--> loop --write--> writer thread --.
//! peers ---requests-->  |  --apply--> applier thread --+--events--> loop
//! clock -----ticks--->  |  --fetch--> reader thread ---'
//!                       '--messages--> transport
//! ```
//! The loop never waits for a thread: a stuck disk must not stop the ticks. The threads may wait for the loop.

mod deliver;
mod event;
mod handle;
mod mailbox;
mod message;
mod observe;
mod pending;
mod reader;
mod run;
mod start;
mod writer;

pub use event::RaftFailure;
pub(crate) use event::{Event, Work};
#[cfg(test)]
pub(crate) use handle::Request;
pub use handle::{
    Applied, HANDOVER_TIMEOUTS, Leader, Progress, RaftError, RaftHandle, RaftStatus, Role, View, deadline_in,
};
pub use message::join_snapshot;
pub use observe::RaftMetrics;
pub(crate) use pending::Pending;
pub use start::{RaftParts, RaftSeed, Start, StartError, seed, start};
