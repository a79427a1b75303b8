//! A worker's life with the cluster: register, heartbeat, poll, report (WRK-1 to WRK-3, WRK-5).
//!
//! Four kinds of loops share one [`Session`]: one keeps the worker registered, one sends heartbeats, one stops attempts
//! whose lease runs out, and one per slot polls, runs and reports (`slot`). A loop that learns that the cluster does not
//! know the worker clears the registration; the others wait until it is back. Running attempts go on meanwhile.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use farquorum_core::{Attempt, AttemptRef, TaskId};
use farquorum_proto::v1::{self, HeartbeatRequest, RegisterWorkerRequest};
use farquorum_storage::Store;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::control::{Control, ControlError};
use crate::lease::Leases;
use crate::metrics::Metrics;
use crate::slot;
use crate::tasks::Registry;
use crate::usage::Usage;

/// Pause after a failed call, doubled up to the second value, with jitter so that workers do not come back as one.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(3));
/// Longest time for saying goodbye; the lease tells the cluster anyway.
const GOODBYE_TIME: Duration = Duration::from_secs(3);
/// How often leases are looked at: a sixteenth, within these bounds.
const WATCH: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));

/// Who this worker is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// Its name.
    pub(crate) worker_id: String,
    /// host:port of its HTTP server.
    pub(crate) address: String,
    /// Label of its cloud.
    pub(crate) cloud: String,
    /// Region of its cloud.
    pub(crate) region: String,
    /// Attempts at once.
    pub(crate) capacity: u32,
}

/// What the cluster said when it took the worker in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    /// Counts registrations, so that old news of an earlier one is told apart.
    epoch: u64,
    heartbeat: Duration,
    lease: Duration,
}

/// What all loops share.
pub(crate) struct Session<C, K> {
    pub(crate) control: C,
    pub(crate) clock: K,
    pub(crate) identity: Identity,
    pub(crate) registry: Registry,
    pub(crate) store: Store,
    pub(crate) metrics: Metrics,
    /// Longest run of an attempt that sets none.
    pub(crate) timeout_default: Duration,
    pub(crate) shutdown: CancellationToken,
    /// None while the cluster does not know this worker.
    pub(crate) registration: watch::Sender<Option<Registration>>,
    pub(crate) leases: Mutex<Leases>,
}

impl<C: Control, K: Clock> Session<C, K> {
    /// Runs until `shutdown`; then attempts are stopped and the worker deregisters.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut loops = JoinSet::new();
        loops.spawn(self.clone().until_shutdown(|s| async move { s.keep_registered().await }));
        loops.spawn(self.clone().until_shutdown(|s| async move { s.send_heartbeats().await }));
        loops.spawn(self.clone().until_shutdown(|s| async move { s.watch_leases().await }));
        for _ in 0..self.identity.capacity {
            loops.spawn(self.clone().until_shutdown(slot::serve));
        }
        while let Some(ended) = loops.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a loop of the worker broke; stopping");
                self.shutdown.cancel();
            }
        }
        self.say_goodbye().await;
    }

    async fn until_shutdown<F: Future<Output = ()>>(self: Arc<Self>, work: impl FnOnce(Arc<Self>) -> F) {
        let shutdown = self.shutdown.clone();
        // None: shut down while it worked; its future was dropped, and with it what it ran.
        let _ = shutdown.run_until_cancelled(work(self)).await;
    }

    /// Registers, and again whenever the registration is lost.
    async fn keep_registered(&self) {
        let mut lost = self.registration.subscribe();
        let mut epoch = 0u64;
        loop {
            let mut pause = Backoff::default();
            let answer = loop {
                match self.control.register(self.registration_request()).await {
                    Ok(answer) => break answer,
                    Err(error) => {
                        tracing::warn!(worker = self.identity.worker_id, %error, "not registered, trying again");
                        pause.wait().await;
                    }
                }
            };
            epoch = epoch.saturating_add(1);
            self.metrics.registrations.inc();
            let registration = Registration {
                epoch,
                heartbeat: Duration::from_millis(answer.heartbeat_interval_ms.max(1)),
                lease: Duration::from_millis(answer.lease_ms.max(1)),
            };
            self.registration.send_replace(Some(registration));
            tracing::info!(
                worker = self.identity.worker_id,
                cloud = self.identity.cloud,
                epoch,
                "Worker ready"
            );
            if lost.wait_for(Option::is_none).await.is_err() {
                return;
            }
        }
    }

    fn registration_request(&self) -> RegisterWorkerRequest {
        let Identity { worker_id, address, cloud, region, capacity } = self.identity.clone();
        let kinds = self.registry.names();
        RegisterWorkerRequest { worker_id, address, cloud_tag: cloud, region, capacity, kinds }
    }

    /// The current registration; waits for one.
    pub(crate) async fn registered(&self) -> Option<Registration> {
        let mut registration = self.registration.subscribe();
        registration.wait_for(Option::is_some).await.ok().and_then(|registration| *registration)
    }

    /// The cluster said that it does not know this worker.
    pub(crate) fn unregistered(&self, was: Registration) {
        self.registration.send_if_modified(|now| {
            let is_news = now.is_some_and(|now| now.epoch == was.epoch);
            if is_news {
                tracing::warn!(
                    worker = self.identity.worker_id,
                    "the cluster does not know this worker any more"
                );
                *now = None;
            }
            is_news
        });
    }

    async fn send_heartbeats(&self) {
        let mut usage = Usage::default();
        while let Some(registration) = self.registered().await {
            self.send_heartbeat(registration, &mut usage).await;
            sleep(registration.heartbeat).await;
        }
    }

    async fn send_heartbeat(&self, registration: Registration, usage: &mut Usage) {
        let sent = self.leases().attempts();
        let sent_at = self.clock.now();
        let (cpu_milli, memory_bytes) = usage.sample(sent_at);
        let worker_id = self.identity.worker_id.clone();
        let attempts = sent.iter().copied().map(to_wire).collect();
        let request = HeartbeatRequest { worker_id, cpu_milli, memory_bytes, attempts };
        // Later than this the next one is due, and the attempts are about to stop anyway.
        let deadline = registration.heartbeat.max(registration.lease / 4);
        let answer = timeout(deadline, self.control.heartbeat(request, deadline)).await;
        let answer =
            answer.unwrap_or_else(|_| Err(ControlError::Unavailable("no answer in time".to_owned())));
        match answer {
            Ok(answer) => {
                self.metrics.heartbeats.with_label_values(&["ok"]).inc();
                let lost: Vec<_> = answer.lost.iter().map(from_wire).collect();
                for AttemptRef { task, attempt } in &lost {
                    tracing::warn!(%task, %attempt, "attempt lost: the cluster took it back");
                }
                self.leases().renew(&sent, &lost, sent_at);
            }
            Err(error) => {
                self.metrics.heartbeats.with_label_values(&["failed"]).inc();
                tracing::warn!(worker = self.identity.worker_id, %error, "heartbeat failed");
                if matches!(error, ControlError::Unknown(_)) {
                    self.unregistered(registration);
                }
            }
        }
    }

    async fn watch_leases(&self) {
        let Some(Registration { mut lease, .. }) = self.registered().await else { return };
        loop {
            sleep((lease / 16).clamp(WATCH.0, WATCH.1)).await;
            // A later registration may have brought another one. Without any, the last one's still ends.
            if let Some(registration) = *self.registration.borrow() {
                lease = registration.lease;
            }
            for AttemptRef { task, attempt } in self.leases().stop_overdue(self.clock.now(), lease) {
                self.metrics.lease_stops.inc();
                tracing::warn!(%task, %attempt, "attempt stopped: half a lease went by without a heartbeat");
            }
        }
    }

    async fn say_goodbye(&self) {
        if self.registration.borrow().is_none() {
            return;
        }
        let goodbye = self.control.deregister(self.identity.worker_id.clone());
        match timeout(GOODBYE_TIME, goodbye).await {
            Ok(Ok(())) => tracing::info!(worker = self.identity.worker_id, "deregistered"),
            Ok(Err(error)) => tracing::warn!(worker = self.identity.worker_id, %error, "not deregistered"),
            Err(_) => tracing::warn!(worker = self.identity.worker_id, "not deregistered: no answer in time"),
        }
    }

    pub(crate) fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn to_wire(attempt: AttemptRef) -> v1::AttemptRef {
    v1::AttemptRef { task: attempt.task.0, attempt: attempt.attempt.0 }
}

fn from_wire(attempt: &v1::AttemptRef) -> AttemptRef {
    AttemptRef { task: TaskId(attempt.task), attempt: Attempt(attempt.attempt) }
}

/// Pauses between tries: longer each time, up to a bound, never the same on two workers.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    tries: u32,
}

impl Backoff {
    pub(crate) async fn wait(&mut self) {
        let (first, most) = PAUSES;
        let pause = first.saturating_mul(1 << self.tries.min(5)).min(most);
        self.tries = self.tries.saturating_add(1);
        sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
    }
}
