//! Making a driver over what a store holds.

use std::sync::Arc;

use bytes::Bytes;
use raft::eraftpb::{ConfState, HardState};
use raft::{Config, RawNode, ReadOnlyOption};

use crate::check::members;
use crate::disk::{Disk, Pending, Promise};
use crate::doubt::Doubt;
use crate::driver::Driver;
use crate::id::IdSource;
use crate::io::{Outputs, StateChange};
use crate::log::{BOOTSTRAP, Initial, LogStore, SnapshotMeta, StoredSnapshot, Write};
use crate::proposals::Proposals;
use crate::reads::Reads;
use crate::settings::{DriverError, Settings};
use crate::view::View;

impl Driver {
    /// A driver over what `store` holds. Reads the store; afterwards only entries that were committed but not applied
    /// when the process started are read through it.
    pub fn new(mut settings: Settings, store: Arc<dyn LogStore>) -> Result<Self, DriverError> {
        let node = node_id(&settings)?;
        let mut initial = store.initial()?;
        let bootstrap = match settings.bootstrap.clone() {
            Some(members) if initial.is_empty() => Some(bootstrap(members)?),
            _ => None,
        };
        if let Some(write) = &bootstrap {
            initial = after(write);
        }
        if initial.truncated == BOOTSTRAP {
            // There is nothing to apply at the bootstrap's position.
            settings.applied = settings.applied.max(BOOTSTRAP.index);
        }
        initial.hard_state = hard_state(&initial, settings.applied)?;
        let mut disk = Disk::new(Promise::from(&initial.hard_state));
        let mut out = Outputs::default();
        if let Some(write) = bootstrap {
            let number = disk.next_number();
            out.write = Some(Write { number, ..write });
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
            backlog_bytes: 0,
            state: StateChange::default(),
            out,
        })
    }
}

/// A new cluster: an empty snapshot with its members, the same on all of them.
fn bootstrap(conf_state: ConfState) -> Result<Write, DriverError> {
    members(&conf_state).map_err(|what| DriverError::Inconsistent { what: format!("bootstrap {what}") })?;
    let meta = SnapshotMeta { position: BOOTSTRAP, conf_state };
    Ok(Write {
        install: Some(StoredSnapshot { meta, data: Bytes::new() }),
        hard_state: Some(HardState { term: BOOTSTRAP.term, vote: 0, commit: BOOTSTRAP.index }),
        must_sync: true,
        ..Write::default()
    })
}

/// What an empty store holds after the bootstrap's write.
fn after(write: &Write) -> Initial {
    let meta = write.install.as_ref().map(|snapshot| snapshot.meta.clone());
    Initial {
        hard_state: write.hard_state.clone().unwrap_or_default(),
        conf_state: meta.as_ref().map(|meta| meta.conf_state.clone()).unwrap_or_default(),
        truncated: BOOTSTRAP,
        last_index: BOOTSTRAP.index,
        snapshot: meta,
        in_doubt: false,
    }
}

/// The node's id as it fits in request ids; also checks the settings that raft-rs would not explain.
fn node_id(settings: &Settings) -> Result<u32, DriverError> {
    let setting = |key, value: u64, allowed| DriverError::Setting { key, value: value.to_string(), allowed };
    if settings.apply_bytes_max == 0 {
        return Err(setting("apply_bytes_max", 0, "1 or more is"));
    }
    let id = u32::try_from(settings.id).ok().filter(|id| *id > 0);
    id.ok_or_else(|| setting("id", settings.id, "1 to 4294967295 is"))
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
