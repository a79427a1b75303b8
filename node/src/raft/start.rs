//! Builds the Raft part: restores the state, starts the threads and the loop, and ends them in order.
//!
//! The transport hands messages to the loop and the loop hands messages to the transport; so the handle is made first
//! ([`seed`]), then the transport with it, then the rest ([`start`]).

use std::collections::HashMap;
use std::sync::{Arc, mpsc as threads};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use farquorum_config::{Config, NodeId};
use farquorum_core::{LogIndex, State};
use farquorum_driver::eraftpb::ConfState;
use farquorum_driver::{Driver, DriverError, IdSource, Initial, LogError, LogStore, Settings};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle as TaskHandle;

use super::deliver::Outside;
use super::event::{EVENTS_MAX, RaftFailure};
use super::handle::{
    HANDOVER_TIMEOUTS, Leader, REQUESTS_MAX, RaftHandle, RaftStatus, Request, Role, View, deadline_in,
};
use super::mailbox::Mailbox;
use super::observe::RaftMetrics;
use super::pending::Pending;
use super::reader::{READS_MAX, Reader};
use super::run::Loop;
use super::writer::Writer;
use crate::apply::{Applier, Snapshots, read_snapshot};
use crate::clock::{Clock, MonotoneMillis};
use crate::release::Release;
use crate::transport::Transport;

/// The other ends of a handle.
pub struct RaftSeed {
    handle: RaftHandle,
    requests: mpsc::Receiver<Request>,
    view: Arc<ArcSwap<View>>,
    status: watch::Sender<RaftStatus>,
    applied: watch::Sender<LogIndex>,
}

/// A handle, usable from now on, and what [`start`] needs to serve it. Until then requests wait, up to their deadlines.
pub fn seed() -> (RaftHandle, RaftSeed) {
    let (to_loop, requests) = mpsc::channel(REQUESTS_MAX);
    let view = Arc::new(ArcSwap::from_pointee(View { state: State::default(), index: LogIndex(0) }));
    let (status, on_status) = watch::channel(RaftStatus::default());
    let (applied, on_applied) = watch::channel(LogIndex(0));
    let handle = RaftHandle { requests: to_loop, view: view.clone(), status: on_status, applied: on_applied };
    (handle.clone(), RaftSeed { handle, requests, view, status, applied })
}

/// What the Raft part is made of.
pub struct Start<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// This node.
    pub me: NodeId,
    /// Its log.
    pub store: Arc<dyn LogStore>,
    /// The way to the other nodes.
    pub transport: Arc<dyn Transport>,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// Where to count.
    pub metrics: RaftMetrics,
    /// A random number drawn anew at every start of the process: no id of a request ever comes twice.
    pub boot_nonce: u32,
    /// This program.
    pub release: Release,
}

/// Why it does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Log(#[from] LogError),
    /// What the log holds does not fit together, or a setting is out of range.
    #[error("the consensus cannot be started")]
    Driver(#[from] DriverError),
    /// The stored snapshot is not one of this version, or is damaged.
    #[error("the stored snapshot at index {index} cannot be restored: {detail}")]
    Snapshot {
        /// Its index.
        index: u64,
        /// Why not.
        detail: String,
    },
    /// The operating system gives no thread.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
}

/// The running Raft part.
pub struct RaftParts {
    /// The way to it.
    pub handle: RaftHandle,
    me: NodeId,
    handover: Duration,
    stop: oneshot::Sender<()>,
    /// None: it has ended, and [`RaftParts::failed`] said why.
    run: Option<TaskHandle<Result<(), RaftFailure>>>,
    threads: Vec<JoinHandle<()>>,
}

impl RaftParts {
    /// Waits until the Raft part ends by itself, which it only does when it cannot go on: the process must end with
    /// this message. Cancel safe; once it has returned, it does not return again.
    pub async fn failed(&mut self) -> RaftFailure {
        let Some(run) = &mut self.run else { return std::future::pending().await };
        let ended = run.await;
        self.run = None;
        match outcome(ended) {
            Err(failure) => failure,
            Ok(()) => RaftFailure::Ended("without being asked".to_owned()),
        }
    }

    /// Ends it gracefully: hands leadership over when this node leads (for at most [`HANDOVER_TIMEOUTS`] election
    /// timeouts), writes what waits for the disk, ends the threads. Requests that still wait get `Stopping`.
    ///
    /// # Errors
    /// What went wrong before or meanwhile.
    pub async fn stop(self) -> Result<(), RaftFailure> {
        if self.handle.status().role == Role::Leader && self.handle.status().voters.len() > 1 {
            match self.handle.transfer(None, deadline_in(self.handover)).await {
                Ok(to) => tracing::info!(node = self.me.0, to = to.0, "leadership handed over"),
                Err(error) => tracing::warn!(node = self.me.0, %error, "leadership was not handed over"),
            }
        }
        // Either the loop hears it, or it has ended already.
        let _ = self.stop.send(());
        let result = match self.run {
            Some(run) => outcome(run.await),
            None => Ok(()),
        };
        let threads = self.threads;
        // A thread that panicked has said so; there is nothing to add.
        let join = move || threads.into_iter().for_each(|thread| drop(thread.join()));
        outcome(tokio::task::spawn_blocking(join).await.map(Ok))?;
        result
    }
}

fn outcome(ended: Result<Result<(), RaftFailure>, tokio::task::JoinError>) -> Result<(), RaftFailure> {
    ended.unwrap_or_else(|error| Err(RaftFailure::Ended(error.to_string())))
}

/// Starts the Raft part of node `me`. Must be called within a tokio runtime.
///
/// # Errors
/// [`StartError`]; nothing runs then.
pub fn start(seed: RaftSeed, start: Start<'_>) -> Result<RaftParts, StartError> {
    let Start { config, me, store, transport, clock, metrics, boot_nonce, release } = start;
    let initial = store.initial()?;
    let state = restore(&*store)?;
    let mut settings = settings(config, me, boot_nonce);
    settings.applied = state.applied().0;
    let founders = settings.bootstrap.clone().filter(|_| initial.is_empty());
    let election_ticks = u64::try_from(settings.election_ticks).unwrap_or(u64::MAX);
    let driver = Driver::new(settings, store.clone())?;
    let node = u32::try_from(me.0).unwrap_or_default();

    let (events, from_threads) = mpsc::channel(EVENTS_MAX);
    let (to_applier, work) = threads::channel();
    let (to_reader, reads) = threads::sync_channel(READS_MAX);
    let mailbox = Arc::new(Mailbox::default());
    let pending = Arc::new(Pending::new(usize::try_from(config.limits.proposals_max).unwrap_or(usize::MAX)));
    seed.view.store(Arc::new(View { index: state.applied(), state: state.clone() }));
    seed.applied.send_replace(state.applied());

    let applier = Applier {
        me,
        members: members_at_start(&initial, founders),
        snapshots: Snapshots::new(&config.raft, state.applied()),
        state,
        work,
        events: events.clone(),
        pending: pending.clone(),
        view: seed.view,
        applied: seed.applied,
        metrics: metrics.clone(),
        clock: clock.clone(),
        release,
    };
    let writer = Writer {
        store: store.clone(),
        mailbox: mailbox.clone(),
        events: events.clone(),
        metrics: metrics.clone(),
        clock: clock.clone(),
    };
    let reader = Reader { store, reads, events, transport: transport.clone() };
    let threads = vec![
        thread("raft-writer", move || writer.run())?,
        thread("raft-applier", move || applier.run())?,
        thread("raft-reader", move || reader.run())?,
    ];
    let run = Loop {
        me,
        driver,
        ids: IdSource::new(node, boot_nonce),
        requests: seed.requests,
        events: from_threads,
        outside: Outside { mailbox, applier: Some(to_applier), reader: Some(to_reader), transport },
        pending,
        reads: HashMap::new(),
        transfers: Vec::new(),
        changing: None,
        status: seed.status,
        leader: Leader::default(),
        elections: 0,
        tick: config.raft.heartbeat,
        election_ticks,
        clock,
        stamps: MonotoneMillis::default(),
        metrics,
        release,
    };
    let (stop, stopped) = oneshot::channel();
    let run = Some(tokio::spawn(run.run(stopped)));
    let handover = config.raft.election_timeout.saturating_mul(HANDOVER_TIMEOUTS);
    Ok(RaftParts { handle: seed.handle, me, handover, stop, run, threads })
}

/// The state as of the stored snapshot; the log brings the rest.
fn restore(store: &dyn LogStore) -> Result<State, StartError> {
    let Some(stored) = store.snapshot()? else { return Ok(State::new()) };
    let index = stored.meta.position.index;
    read_snapshot(&stored).map_err(|detail| StartError::Snapshot { index, detail })
}

/// The driver's settings. A tick is one heartbeat.
fn settings(config: &Config, me: NodeId, boot_nonce: u32) -> Settings {
    let mut settings = Settings::new(me.0, boot_nonce);
    let heartbeat = config.raft.heartbeat.as_millis().max(1);
    let ticks = config.raft.election_timeout.as_millis().div_ceil(heartbeat);
    settings.election_ticks = usize::try_from(ticks).unwrap_or(usize::MAX / 2).max(2);
    settings.election_ticks_min = settings.election_ticks;
    settings.election_ticks_max = settings.election_ticks.saturating_mul(2);
    settings.proposals_max = usize::try_from(config.limits.proposals_max).unwrap_or(usize::MAX);
    if config.raft.bootstrap {
        let ids = |voter| {
            config.nodes.iter().filter(move |node| node.voter == voter).map(|node| node.id.0).collect()
        };
        settings.bootstrap =
            Some(ConfState { voters: ids(true), learners: ids(false), ..ConfState::default() });
    }
    settings
}

/// Members as of the state that the applier starts with.
fn members_at_start(initial: &Initial, founders: Option<ConfState>) -> ConfState {
    match (&initial.snapshot, founders) {
        (Some(snapshot), _) => snapshot.conf_state.clone(),
        (None, Some(founders)) => founders,
        (None, None) => initial.conf_state.clone(),
    }
}

fn thread(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map_err(StartError::Thread)
}
