//! The worker's metrics: `farquorum_worker_...`.

use prometheus::{Encoder, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

/// Counters of one worker.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    /// Attempts that ended, by kind and outcome: completed, failed, stopped, late.
    pub(crate) attempts: IntCounterVec,
    /// Attempts that run now.
    pub(crate) running: IntGauge,
    /// Heartbeats by outcome: ok, failed.
    pub(crate) heartbeats: IntCounterVec,
    /// Registrations; more than one means that the worker or the cluster was restarted.
    pub(crate) registrations: IntCounter,
    /// Attempts that were stopped because half a lease went by without a heartbeat.
    pub(crate) lease_stops: IntCounter,
}

impl Metrics {
    /// Fresh counters in a registry of their own.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let metrics = Self {
            registry: Registry::new(),
            attempts: IntCounterVec::new(
                Opts::new("farquorum_worker_attempts_total", "Attempts that ended, by kind and outcome."),
                &["kind", "outcome"],
            )?,
            running: IntGauge::new("farquorum_worker_running_attempts", "Attempts that run now.")?,
            heartbeats: IntCounterVec::new(
                Opts::new("farquorum_worker_heartbeats_total", "Heartbeats by outcome."),
                &["outcome"],
            )?,
            registrations: IntCounter::new("farquorum_worker_registrations_total", "Registrations.")?,
            lease_stops: IntCounter::new(
                "farquorum_worker_lease_stops_total",
                "Attempts stopped after half a lease without a heartbeat.",
            )?,
        };
        metrics.registry.register(Box::new(metrics.attempts.clone()))?;
        metrics.registry.register(Box::new(metrics.running.clone()))?;
        metrics.registry.register(Box::new(metrics.heartbeats.clone()))?;
        metrics.registry.register(Box::new(metrics.registrations.clone()))?;
        metrics.registry.register(Box::new(metrics.lease_stops.clone()))?;
        Ok(metrics)
    }

    /// All of them in the text format of Prometheus.
    pub(crate) fn text(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}
