//! The one applier: takes committed entries in order, applies them to the state, answers their proposals by id, and
//! takes snapshots. A thread of its own, so that a long batch never delays a tick.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

use arc_swap::ArcSwap;
use bytes::Bytes;
use farquorum_config::NodeId;
use farquorum_core::{LogIndex, Outcome, Rejection, State};
use farquorum_driver::eraftpb::{ConfState, Entry};
use farquorum_driver::{Apply, BOOTSTRAP, Compact, ProposalId, RequestId, StoredSnapshot, conf_change_of};
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::raft::{Applied, Event, Pending, RaftFailure, RaftMetrics, View, Work};
use crate::release::Release;

/// What one entry answers.
type Answer = (ProposalId, (LogIndex, Result<Outcome, Rejection>));

pub(crate) struct Applier {
    pub(crate) me: NodeId,
    pub(crate) state: State,
    /// Members as of `state`.
    pub(crate) members: ConfState,
    pub(crate) work: Receiver<Work>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) pending: Arc<Pending>,
    pub(crate) view: Arc<ArcSwap<View>>,
    pub(crate) applied: watch::Sender<LogIndex>,
    pub(crate) snapshots: Snapshots,
    pub(crate) metrics: RaftMetrics,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) release: Release,
}

/// The thread cannot go on. None: the loop is gone, which is no failure of ours.
type Halt = Option<RaftFailure>;

impl Applier {
    /// Until the loop is gone, or something committed cannot be applied.
    pub(crate) fn run(mut self) {
        while let Ok(work) = self.work.recv() {
            let result = match work {
                Work::Apply(Apply::Entries(entries)) => self.entries(&entries),
                Work::Apply(Apply::Restore(snapshot)) => self.restore(&snapshot),
                Work::Snapshot => {
                    self.snapshot();
                    Ok(())
                }
            };
            if let Err(halt) = result {
                if let Some(failure) = halt {
                    let _ = self.events.blocking_send(Event::Failed(failure));
                }
                return;
            }
        }
    }

    /// The view is published before anybody is answered: who was answered finds the change in it.
    fn entries(&mut self, entries: &[Entry]) -> Result<(), Halt> {
        let start = self.clock.boot();
        let mut answers = Vec::with_capacity(entries.len());
        for entry in entries {
            answers.extend(self.entry(entry)?);
        }
        self.publish();
        let now = self.clock.boot();
        for (waiting, (index, outcome)) in self.pending.take_all(answers) {
            let took = now.saturating_sub(waiting.since);
            self.metrics.replication_ms.observe(took.as_secs_f64() * 1000.0);
            let _ = waiting.reply.send(Ok(Applied { index, outcome }));
        }
        self.metrics.apply.observe(now.saturating_sub(start).as_secs_f64());
        self.tell(Event::Applied(self.state.applied().0))?;
        if self.snapshots.due(self.state.applied()) {
            self.snapshot();
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Entry) -> Result<Option<Answer>, Halt> {
        let index = LogIndex(entry.index);
        let failed = |detail: String| Some(RaftFailure::Apply { what: "entry", index: entry.index, detail });
        if index <= self.state.applied() {
            return Err(failed(format!("the state holds everything up to {} already", self.state.applied())));
        }
        let change = conf_change_of(entry).map_err(|error| failed(error.to_string()))?;
        let outcome = if let Some(change) = change {
            // Views and answers up to here do not wait for the new members.
            self.publish();
            let (members, new_members) = sync_channel(1);
            self.tell(Event::ConfChange { change, members })?;
            self.members = new_members.recv().map_err(|_| None)?;
            self.state.skip(index).map(|()| Outcome::Done)
        } else if entry.data.is_empty() {
            self.state.skip(index).map(|()| Outcome::Done)
        } else {
            let read = (self.release.read_entry)(&entry.data);
            self.state.apply(index, &read.map_err(|error| failed(error.to_string()))?)
        };
        Ok(RequestId::of_entry(entry).map(|id| (id, (index, outcome))))
    }

    fn restore(&mut self, snapshot: &StoredSnapshot) -> Result<(), Halt> {
        let index = snapshot.meta.position.index;
        let failed = |detail| Some(RaftFailure::Apply { what: "snapshot", index, detail });
        let state = read_snapshot(snapshot).map_err(failed)?;
        tracing::info!(
            node = self.me.0,
            term = snapshot.meta.position.term,
            index,
            "restored a leader's snapshot"
        );
        self.state = state;
        self.members = snapshot.meta.conf_state.clone();
        self.snapshots.last = LogIndex(index);
        self.metrics.snapshots_restored.inc();
        self.publish();
        self.tell(Event::Applied(index))
    }

    fn publish(&self) {
        let index = self.state.applied();
        self.view.store(Arc::new(View { state: self.state.clone(), index }));
        self.applied.send_replace(index);
    }

    fn tell(&self, event: Event) -> Result<(), Halt> {
        self.events.blocking_send(event).map_err(|_| None)
    }

    /// Takes a snapshot of a clone, in a thread of its own: apply goes on meanwhile (MAN-8).
    fn snapshot(&mut self) {
        let index = self.state.applied();
        let Some(turn) = self.snapshots.begin(index) else { return };
        let (state, conf_state, keep) = (self.state.clone(), self.members.clone(), self.snapshots.keep);
        let (events, metrics, me) = (self.events.clone(), self.metrics.clone(), self.me.0);
        let write = self.release.write_snapshot;
        let body = move || {
            let data = Bytes::from(write(&state));
            tracing::info!(node = me, index = index.0, bytes = data.len(), "took a snapshot");
            metrics.snapshots_taken.inc();
            let _ = events.blocking_send(Event::Snapshot(Compact { index: index.0, conf_state, data, keep }));
            drop(turn);
        };
        if let Err(error) = std::thread::Builder::new().name("raft-snapshot".to_owned()).spawn(body) {
            // The log only grows a little longer: the next batch tries again.
            tracing::warn!(node = me, %error, "cannot start a thread for a snapshot");
        }
    }
}

/// When to take snapshots; one at a time.
pub(crate) struct Snapshots {
    /// Entries after which one is due.
    every: u64,
    /// Entries that stay in the log behind it.
    keep: u64,
    last: LogIndex,
    busy: Arc<AtomicBool>,
}

/// Held while a snapshot is being taken.
struct Turn(Arc<AtomicBool>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Snapshots {
    /// `last`: what the state was restored from.
    pub(crate) fn new(config: &farquorum_config::Raft, last: LogIndex) -> Self {
        let busy = Arc::new(AtomicBool::new(false));
        Self { every: config.snapshot_every_entries.max(1), keep: config.log_keep_entries, last, busy }
    }

    fn due(&self, applied: LogIndex) -> bool {
        applied.0.saturating_sub(self.last.0) >= self.every
    }

    fn begin(&mut self, index: LogIndex) -> Option<Turn> {
        if index <= self.last || self.busy.swap(true, Ordering::Acquire) {
            return None;
        }
        self.last = index;
        Some(Turn(self.busy.clone()))
    }
}

/// The state in a snapshot, or what is wrong with it. That of the bootstrap has no data: the empty state.
pub(crate) fn read_snapshot(snapshot: &StoredSnapshot) -> Result<State, String> {
    let index = LogIndex(snapshot.meta.position.index);
    let mut state = State::new();
    if snapshot.meta.position == BOOTSTRAP && snapshot.data.is_empty() {
        state.skip(index).map_err(|error| error.to_string())?;
    } else {
        state = State::read_snapshot(&snapshot.data).map_err(|error| error.to_string())?;
    }
    match state.applied() {
        applied if applied == index => Ok(state),
        applied => Err(format!("it holds the state at {applied}")),
    }
}
