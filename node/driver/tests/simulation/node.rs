//! One node of the simulation: a driver, its disk, its state machine, its applier.

use std::collections::VecDeque;

use farquorum_driver::eraftpb::ConfState;
use farquorum_driver::{Apply, Driver, IdSource, LogStore, Settings};

use crate::disk::Disk;
use crate::machine::Machine;

pub(crate) struct Node {
    pub(crate) id: u64,
    /// Counts starts; events of an earlier run of the node are dropped.
    pub(crate) boot: u32,
    /// None: down.
    pub(crate) driver: Option<Driver>,
    pub(crate) disk: Disk,
    pub(crate) machine: Machine,
    /// The state machine as it was stored last.
    pub(crate) stored: Machine,
    /// Handed to the applier and not applied.
    pub(crate) apply: VecDeque<Apply>,
    pub(crate) ids: IdSource,
    election_ticks: usize,
    members: ConfState,
}

impl Node {
    pub(crate) fn new(id: u64, members: &ConfState, election_ticks: usize) -> Self {
        Self {
            id,
            boot: 0,
            driver: None,
            disk: Disk::default(),
            machine: Machine::default(),
            stored: Machine::default(),
            apply: VecDeque::new(),
            ids: IdSource::new(0, 0),
            election_ticks,
            members: members.clone(),
        }
    }

    pub(crate) fn is_voter(&self) -> bool {
        self.members.voters.contains(&self.id)
    }

    /// Starts the process over what the disk holds.
    pub(crate) fn start(&mut self, tail_bytes_max: u64) {
        self.boot += 1;
        self.ids = IdSource::new(u32::try_from(self.id).unwrap(), self.boot);
        let snapshot = self.disk.cached.snapshot().unwrap();
        let restored = snapshot.map(|snapshot| Machine::from_bytes(&snapshot.data)).unwrap_or_default();
        self.machine = if self.stored.index > restored.index { self.stored.clone() } else { restored };
        self.apply.clear();
        let mut settings = Settings::new(self.id, self.boot);
        settings.heartbeat_ticks = 2;
        settings.election_ticks_min = self.election_ticks;
        settings.election_ticks_max = self.election_ticks + 1;
        settings.applied = self.machine.index;
        settings.tail_bytes_max = tail_bytes_max;
        settings.message_bytes_max = 256;
        settings.bootstrap = Some(self.members.clone());
        self.driver = Some(Driver::new(settings, self.disk.open()).unwrap());
    }

    /// Ends the process.
    pub(crate) fn stop(&mut self) {
        self.driver = None;
        self.apply.clear();
    }

    /// Applies what was handed over first; the entries applied, and the index reached.
    pub(crate) fn apply_next(&mut self) -> Option<(Vec<farquorum_driver::eraftpb::Entry>, u64)> {
        let entries = match self.apply.pop_front()? {
            Apply::Restore(snapshot) => {
                self.machine = Machine::from_bytes(&snapshot.data);
                assert_eq!(self.machine.index, snapshot.meta.position.index, "a snapshot is what it says");
                Vec::new()
            }
            Apply::Entries(entries) => entries,
        };
        for entry in &entries {
            self.machine.apply(entry);
        }
        Some((entries, self.machine.index))
    }
}
