//! The task that runs while this node leads.

use std::sync::Arc;
use std::time::Duration;

use farquorum_config::Tasks;
use farquorum_core::{Command, Outcome};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Waiting, grants, housekeeping};
use crate::clock::Clock;
use crate::raft::{RaftHandle, RaftStatus, Role};

/// Pause before a refused proposal is made again: what refuses it (a full queue, a stuck disk) does not pass at once.
const RETRY: Duration = Duration::from_millis(200);

/// What the chores need.
pub(crate) struct Chores {
    pub(crate) raft: RaftHandle,
    pub(crate) waiting: Arc<Waiting>,
    pub(crate) tasks: Tasks,
    pub(crate) clock: Arc<dyn Clock>,
    /// Longest wait for one proposal.
    pub(crate) timeout: Duration,
}

impl Chores {
    /// Runs until `stop` or until the Raft loop is gone; does something only while this node leads.
    pub(crate) async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = self.follow() => {}
            () = stop.cancelled() => {}
        }
        self.waiting.clear();
    }

    async fn follow(&self) {
        let mut status = self.raft.watch_status();
        loop {
            let Ok(term) = status.wait_for(leads).await.map(|status| status.leader.term) else { return };
            tracing::info!(term, "leading: the manifest's chores begin");
            let ended = |status: &RaftStatus| !leads(status) || status.leader.term != term;
            let gone = tokio::select! {
                () = self.lead() => false,
                changed = status.wait_for(ended) => changed.is_err(),
            };
            // After the status has changed: a poll that is added later sees that this node does not lead.
            self.waiting.clear();
            if gone {
                return;
            }
        }
    }

    async fn lead(&self) {
        self.extend_leases().await;
        tokio::join!(grants::run(self), housekeeping::run(self));
    }

    /// Once for each leadership: which heartbeats the last leader took is not known.
    async fn extend_leases(&self) {
        let lease_ms = self.lease_ms();
        while self.propose(Command::ExtendLeases { lease_ms }).await.is_none() {
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Proposes and waits; none when it did not happen or is not known to have.
    pub(super) async fn propose(&self, command: Command) -> Option<Outcome> {
        match self.raft.propose(command, Instant::now() + self.timeout).await {
            Ok(applied) => applied
                .outcome
                .inspect_err(|rejection| tracing::debug!(%rejection, "a chore's command was refused"))
                .ok(),
            Err(error) => {
                tracing::debug!(%error, "a chore's command got no answer");
                None
            }
        }
    }

    pub(super) fn lease_ms(&self) -> u64 {
        u64::try_from(self.tasks.lease.as_millis()).unwrap_or(u64::MAX)
    }
}

fn leads(status: &RaftStatus) -> bool {
    status.role == Role::Leader
}
