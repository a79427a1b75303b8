//! The loop: wait for one input, drain all that wait, one turn of the driver, and again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use farquorum_config::NodeId;
use farquorum_core::{Command, Level, Millis, Proposal};
use farquorum_driver::eraftpb::{ConfChangeV2, ConfState, Message};
use farquorum_driver::{Driver, IdSource, Input, RequestId};
use tokio::sync::{mpsc, oneshot, watch};

use super::deliver::Outside;
use super::event::{Event, RaftFailure};
use super::handle::{Applied, Leader, REQUESTS_MAX, RaftError, RaftStatus, Request};
use super::observe::RaftMetrics;
use super::pending::{Pending, Waiting};
use crate::clock::{Clock, MonotoneMillis, ticker};
use crate::release::Release;

/// How many election timeouts a write may wait before the process gives up. The node handed leadership over after
/// the first; this is long enough for a cloud disk that was moved.
const DISK_PATIENCE: u64 = 30;

/// The way back of an answer to a transfer: who leads after it.
pub(super) type TransferReply = oneshot::Sender<Result<NodeId, RaftError>>;

/// A change of members whose new members are on their way to the disk.
pub(super) struct Changing {
    /// Number of the write; none until the driver put it out.
    pub(super) write: Option<u64>,
    pub(super) after: ConfState,
    pub(super) members: SyncSender<ConfState>,
}

pub(super) struct Loop {
    pub(super) me: NodeId,
    pub(super) driver: Driver,
    pub(super) ids: IdSource,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) events: mpsc::Receiver<Event>,
    pub(super) outside: Outside,
    pub(super) pending: Arc<Pending>,
    /// Bounded by the driver's `reads_max`: it answers each, at the latest after two election timeouts.
    pub(super) reads: HashMap<RequestId, oneshot::Sender<Result<(), RaftError>>>,
    /// Bounded by the queue of requests: the caller leaves at its deadline.
    pub(super) transfers: Vec<(Option<NodeId>, TransferReply)>,
    /// At most one: the driver allows no second change before the first is applied.
    pub(super) changing: Option<Changing>,
    pub(super) status: watch::Sender<RaftStatus>,
    pub(super) leader: Leader,
    pub(super) elections: u64,
    /// Length of a tick.
    pub(super) tick: Duration,
    pub(super) election_ticks: u64,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) stamps: MonotoneMillis,
    pub(super) metrics: RaftMetrics,
    pub(super) release: Release,
}

impl Loop {
    /// Until `stop` says so, or something fails for good. Everybody who still waits gets `Stopping`.
    pub(super) async fn run(mut self, mut stop: oneshot::Receiver<()>) -> Result<(), RaftFailure> {
        let result = self.turns(&mut stop).await;
        if let Err(failure) = &result {
            tracing::error!(node = self.me.0, %failure, "the node cannot go on");
        }
        self.outside.close();
        self.pending.clear();
        result
    }

    async fn turns(&mut self, stop: &mut oneshot::Receiver<()>) -> Result<(), RaftFailure> {
        let mut ticks = ticker(self.tick);
        self.turn()?;
        loop {
            tokio::select! {
                _ = &mut *stop => return Ok(()),
                _ = ticks.tick() => self.tick()?,
                Some(request) = self.requests.recv() => self.request(request),
                Some(event) = self.events.recv() => self.event(event)?,
            }
            self.drain()?;
            self.turn()?;
        }
    }

    /// Everything that waits, so that one turn carries all of it: many proposals become one message and one fsync.
    fn drain(&mut self) -> Result<(), RaftFailure> {
        for _ in 0..REQUESTS_MAX {
            let Ok(request) = self.requests.try_recv() else { break };
            self.request(request);
        }
        while let Ok(event) = self.events.try_recv() {
            self.event(event)?;
        }
        Ok(())
    }

    fn tick(&mut self) -> Result<(), RaftFailure> {
        self.input(Input::Tick);
        self.metrics
            .waiting
            .set(super::observe::gauge(u64::try_from(self.pending.sweep()).unwrap_or(u64::MAX)));
        self.reads.retain(|_, reply| !reply.is_closed());
        self.transfers.retain(|(_, reply)| !reply.is_closed());
        let status = self.driver.status();
        if let (Some((to, _)), None) = (self.transfers.first(), status.transferring_to) {
            let to = to.map(|id| id.0);
            self.input(Input::TransferLeader { to });
        }
        if status.disk_wait_ticks > self.election_ticks.saturating_mul(DISK_PATIENCE) {
            return Err(RaftFailure::DiskStuck(self.ticks(status.disk_wait_ticks)));
        }
        Ok(())
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Propose { command, reply } => self.propose(command, reply),
            Request::Read { reply } => {
                let id = self.ids.next_id();
                self.reads.insert(id, reply);
                self.input(Input::Read { id });
            }
            Request::Incoming { from, messages } => {
                messages.iter().for_each(|bytes| self.incoming(from, bytes))
            }
            Request::Unreachable(peer) => self.input(Input::Unreachable { peer: peer.0 }),
            Request::SnapshotSent { to, ok } => self.input(Input::SnapshotSent { peer: to.0, ok }),
            Request::Transfer { to, reply } => self.transfer(to, reply),
        }
    }

    fn propose(&mut self, command: Command, reply: oneshot::Sender<Result<Applied, RaftError>>) {
        if let Err(refused) = self.all_can_read(&command) {
            self.metrics.refused.inc();
            let _ = reply.send(Err(refused));
            return;
        }
        let id = self.ids.next_id();
        if let Err((one, refused)) = self.pending.insert(id, Waiting { reply, since: self.clock.boot() }) {
            self.metrics.refused.inc();
            let _ = one.reply.send(Err(refused));
            return;
        }
        let now = Millis(self.stamps.next(self.clock.wall_ms()));
        let data = (self.release.write_entry)(&Proposal { now, command }).into();
        self.input(Input::Propose { id, data });
    }

    /// Every member must be able to read an entry, those that only learn as well.
    fn all_can_read(&self, command: &Command) -> Result<(), RaftError> {
        let needed = (self.release.level_of)(command);
        if needed <= Level::FIRST {
            return Ok(());
        }
        let members = self.driver.status().conf_state;
        let ids = [&members.voters, &members.learners, &members.voters_outgoing, &members.learners_next];
        for node in ids.into_iter().flatten().map(|id| NodeId(*id)) {
            let has = if node == self.me { self.release.level } else { self.outside.transport.level(node) };
            if has < needed {
                return Err(RaftError::Level { needed, node, has });
            }
        }
        Ok(())
    }

    fn incoming(&mut self, from: NodeId, bytes: &[u8]) {
        match farquorum_driver::decode::<Message>(bytes) {
            Ok(message) => self.input(Input::Message { from: from.0, message }),
            Err(error) => tracing::warn!(node = self.me.0, peer = from.0, %error, "refused a Raft message"),
        }
    }

    fn transfer(&mut self, to: Option<NodeId>, reply: TransferReply) {
        if self.leader.id != Some(self.me) {
            let _ = reply.send(Err(RaftError::NotLeader(self.leader)));
            return;
        }
        if to == Some(self.me) {
            let _ = reply.send(Ok(self.me));
            return;
        }
        self.transfers.push((to, reply));
        self.input(Input::TransferLeader { to: to.map(|id| id.0) });
    }

    fn event(&mut self, event: Event) -> Result<(), RaftFailure> {
        match event {
            Event::Persisted(number) => {
                self.input(Input::Persisted { number });
                self.members_are_durable(number);
            }
            Event::Applied(index) => self.input(Input::Applied { index }),
            Event::ConfChange { change, members } => self.change_members(&change, members)?,
            Event::Snapshot(compact) => self.input(Input::Compact(compact)),
            Event::Fetched { entries: Err(error @ farquorum_driver::LogError::Corrupt { .. }), .. } => {
                return Err(RaftFailure::Read(error));
            }
            Event::Fetched { id, entries } => self.input(Input::Fetched { id, entries }),
            Event::NoSnapshot { peer } => self.input(Input::SnapshotSent { peer, ok: false }),
            Event::Failed(failure) => return Err(failure),
        }
        Ok(())
    }

    /// The driver puts the new members out with the next poll. The applier goes on when they are durable.
    fn change_members(
        &mut self,
        change: &ConfChangeV2,
        members: SyncSender<ConfState>,
    ) -> Result<(), RaftFailure> {
        let after = self.driver.apply_conf_change(change)?;
        tracing::info!(node = self.me.0, voters = ?after.voters, learners = ?after.learners, "members changed");
        self.changing = Some(Changing { write: None, after, members });
        // At once, so that no other write can be taken for the one with the members.
        self.turn()
    }

    fn members_are_durable(&mut self, number: u64) {
        if let Some(changing) = self.changing.take_if(|it| it.write.is_some_and(|write| write <= number)) {
            let _ = changing.members.try_send(changing.after);
        }
    }

    /// A message that the driver refuses changed nothing; it is worth a line, nothing else.
    pub(super) fn input(&mut self, input: Input) {
        if let Err(refused) = self.driver.step(input) {
            tracing::warn!(node = self.me.0, peer = refused.from, %refused, "refused a Raft message");
        }
    }

    pub(super) fn ticks(&self, ticks: u64) -> Duration {
        self.tick.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX))
    }
}
