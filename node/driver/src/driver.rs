//! The driver: raft-rs's RawNode with inputs and outputs.

use std::sync::Arc;

use raft::eraftpb::{ConfChangeV2, ConfState};

use crate::check::BadMessage;
use crate::io::{Input, Outputs};
use crate::log::LogStore;
use crate::settings::{DriverError, Settings};
use crate::status::Status;

/// raft-rs driven by inputs and outputs. See the crate's documentation for what the caller must do, and in which order.
pub struct Driver {}

impl Driver {
    /// A driver over what `store` holds. Reads the store; the only other reads are those of entries that were
    /// committed but not applied when the process started.
    pub fn new(settings: Settings, store: Arc<dyn LogStore>) -> Result<Self, DriverError> {
        let _ = (settings, store);
        Ok(Self {})
    }

    /// Takes one input. Cheap: proposals and reads only queue until [`Driver::poll`], so drain all that waits first.
    /// Errors: only for a message, which then changed nothing; worth a line in the audit log.
    pub fn step(&mut self, input: Input) -> Result<(), BadMessage> {
        let _ = input;
        Ok(())
    }

    /// What to do now. Call it after draining the inputs, and again while [`Outputs::more`] is set.
    pub fn poll(&mut self) -> Outputs {
        Outputs::default()
    }

    /// Makes a committed change of members effective; called when the applier reaches its entry. The next poll puts
    /// out a [`crate::Write`] with the new members: report the entry as applied only after that write.
    pub fn apply_conf_change(&mut self, change: &ConfChangeV2) -> Result<ConfState, DriverError> {
        let _ = change;
        Ok(ConfState::default())
    }

    /// What the driver knows.
    pub fn status(&self) -> Status {
        Status::default()
    }
}
