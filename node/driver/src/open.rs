//! Making a driver over what a store holds.

use std::sync::Arc;

use raft::eraftpb::HardState;
use raft::{Config, RawNode, ReadOnlyOption};

use crate::check::members;
use crate::disk::{Disk, Pending, Promise};
use crate::doubt::Doubt;
use crate::driver::Driver;
use crate::id::IdSource;
use crate::io::{Outputs, StateChange};
use crate::log::{Initial, LogStore, Write};
use crate::proposals::Proposals;
use crate::reads::Reads;
use crate::settings::{DriverError, Settings};
use crate::view::View;

impl Driver {
    /// A driver over what `store` holds. Reads the store; afterwards only entries that were committed but not applied
    /// when the process started are read through it.
    pub fn new(settings: Settings, store: Arc<dyn LogStore>) -> Result<Self, DriverError> {
        let node = node_id(&settings)?;
        let mut initial = store.initial()?;
        let bootstrap = if initial.is_empty() { settings.bootstrap.clone() } else { None };
        if let Some(conf) = &bootstrap {
            members(conf).map_err(|what| DriverError::Inconsistent { what: format!("bootstrap {what}") })?;
            initial.conf_state = conf.clone();
        }
        initial.hard_state = hard_state(&initial, settings.applied)?;
        let mut disk = Disk::new(Promise::from(&initial.hard_state));
        let mut out = Outputs::default();
        if let Some(conf_state) = bootstrap {
            let number = disk.next_number();
            out.write =
                Some(Write { number, conf_state: Some(conf_state), must_sync: true, ..Write::default() });
            disk.begin(Pending { write: number, ..Pending::default() });
        }
        let doubt = initial.in_doubt.then(|| Doubt::new(settings.election_ticks_max));
        let raw = RawNode::new(&config(&settings), View::new(store, initial)?, &settings.logger)?;
        let election_ticks = u64::try_from(settings.election_ticks).unwrap_or(u64::MAX);
        let contexts = IdSource::new(node, settings.boot);
        Ok(Self {
            reads: Reads::new(contexts, settings.reads_max, election_ticks.saturating_mul(2)),
            handed: settings.applied,
            election_ticks,
            settings,
            raw,
            disk,
            doubt,
            proposals: Proposals::default(),
            backlog: Default::default(),
            state: StateChange::default(),
            out,
        })
    }
}

/// The node's id as it fits in request ids; also checks the settings that raft-rs would not explain.
fn node_id(settings: &Settings) -> Result<u32, DriverError> {
    let setting = |key, value: u64, allowed| DriverError::Setting { key, value: value.to_string(), allowed };
    match u32::try_from(settings.id) {
        Ok(id) if id > 0 => {}
        _ => return Err(setting("id", settings.id, "1 to 4294967295 is")),
    }
    if settings.apply_bytes_max == 0 {
        return Err(setting("apply_bytes_max", 0, "1 or more is"));
    }
    u32::try_from(settings.id).map_err(|_| setting("id", settings.id, "1 to 4294967295 is"))
}

/// Term, vote and commit as raft-rs takes them. What was applied was committed: the commit index is written without
/// an fsync of its own and may be behind.
fn hard_state(initial: &Initial, applied: u64) -> Result<HardState, DriverError> {
    let (truncated, last) = (initial.truncated.index, initial.last_index);
    let inconsistent = |what: String| Err(DriverError::Inconsistent { what });
    if applied < truncated || applied > last {
        return inconsistent(format!("applied index {applied}, the log holds {truncated} to {last}"));
    }
    let snapshot = initial.snapshot.as_ref().map_or(0, |meta| meta.position.index);
    if snapshot < truncated || snapshot > last {
        return inconsistent(format!("snapshot at {snapshot}, the log holds {truncated} to {last}"));
    }
    let mut hard_state = initial.hard_state.clone();
    hard_state.commit = hard_state.commit.max(applied).max(truncated);
    if initial.in_doubt {
        hard_state.commit = hard_state.commit.min(last);
    }
    if hard_state.commit > last {
        return inconsistent(format!("commit index {}, the log ends at {last}", hard_state.commit));
    }
    Ok(hard_state)
}

/// The measured settings of the design notes. Never `priority`: with it a transfer left followers without a leader.
fn config(settings: &Settings) -> Config {
    Config {
        id: settings.id,
        election_tick: settings.election_ticks,
        heartbeat_tick: settings.heartbeat_ticks,
        applied: settings.applied,
        max_size_per_msg: settings.message_bytes_max,
        max_inflight_msgs: settings.inflight_max,
        check_quorum: true,
        pre_vote: true,
        min_election_tick: settings.election_ticks_min,
        max_election_tick: settings.election_ticks_max,
        read_only_option: ReadOnlyOption::Safe,
        skip_bcast_commit: false,
        batch_append: false,
        priority: 0,
        max_uncommitted_size: settings.uncommitted_bytes_max,
        max_committed_size_per_ready: settings.apply_bytes_max,
    }
}
