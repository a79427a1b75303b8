//! Rules between the numbers of `[tasks]`, `[limits]` and `[lab]`.

use std::time::Duration;

use super::{Derived, known_cloud};
use crate::finding::Report;
use crate::raw::Raw;
use crate::types::{Lab, LabBackend, Limits, Storage, Tasks};

/// What a gRPC message holds beside a key, a value or a payload: field tags, ids, headers of the request.
const MESSAGE_OVERHEAD_BYTES: u64 = 4_096;

/// Leases, heartbeats and retention.
pub(super) fn tasks(raw: &Raw, report: &mut Report) -> Tasks {
    let tasks = &raw.tasks;
    if let (Some(heartbeat), Some(lease)) = (tasks.heartbeat_ms, tasks.lease_ms)
        && lease < heartbeat.saturating_mul(2)
    {
        let origin = report.origins.of("tasks.heartbeat_ms");
        let message = format!(
            "must be at least 2 x tasks.heartbeat_ms, which is {heartbeat} ms ({origin}): one late heartbeat would \
             end every lease"
        );
        report.error("tasks.lease_ms", Some(lease.to_string()), message);
    }
    Tasks {
        heartbeat: Duration::from_millis(tasks.heartbeat_ms.unwrap_or_default()),
        lease: Duration::from_millis(tasks.lease_ms.unwrap_or_default()),
        timeout: Duration::from_secs(tasks.timeout_s.unwrap_or_default()),
        keep_finished: Duration::from_secs(tasks.keep_finished_s.unwrap_or_default()),
        keep_finished_max: tasks.keep_finished_max.unwrap_or_default(),
    }
}

/// Bounds on sizes and queues.
pub(super) fn limits(raw: &Raw, report: &mut Report) -> Limits {
    let set = &raw.limits;
    let limits = Limits {
        value_bytes_max: set.value_bytes_max.unwrap_or_default(),
        key_bytes_max: set.key_bytes_max.unwrap_or_default(),
        payload_bytes_max: set.payload_bytes_max.unwrap_or_default(),
        proposals_max: set.proposals_max.unwrap_or_default(),
        connections_max: set.connections_max.unwrap_or_default(),
        message_bytes_max: set.message_bytes_max.unwrap_or_default(),
        request_timeout: Duration::from_millis(set.request_timeout_ms.unwrap_or_default()),
        free_bytes_min: set.free_bytes_min.unwrap_or_default(),
    };
    let longest = (limits.value_bytes_max + limits.key_bytes_max).max(limits.payload_bytes_max);
    let least = longest + MESSAGE_OVERHEAD_BYTES;
    if let Some(message_bytes) = set.message_bytes_max
        && message_bytes < least
    {
        let message = format!(
            "must hold the longest key with its value, or the longest payload, and {MESSAGE_OVERHEAD_BYTES} bytes \
             around it: at least {least}"
        );
        report.error("limits.message_bytes_max", Some(message_bytes.to_string()), message);
    }
    limits
}

/// Settings of the simulation.
pub(super) fn lab(raw: &Raw, storage: &Storage, report: &mut Report, derived: &mut Derived) -> Lab {
    let lab = &raw.lab;
    if lab.operator_cloud.is_some() {
        known_cloud(raw, lab.operator_cloud.as_deref(), "lab.operator_cloud", report);
    }
    let operator =
        derived.or(lab.operator_cloud.clone(), "lab.operator_cloud", storage.cloud.clone(), "storage.cloud");
    let backend = match lab.backend.as_deref() {
        Some("user") => LabBackend::User,
        Some("kernel") => LabBackend::Kernel,
        Some("relay") => LabBackend::Relay,
        _ => LabBackend::Auto,
    };
    let (seed, mtu) = (lab.seed.unwrap_or_default(), lab.mtu.unwrap_or_default());
    // A value out of range has been reported.
    let lateness_p99_max =
        Duration::try_from_secs_f64(lab.lateness_p99_max_ms.unwrap_or_default() / 1e3).unwrap_or_default();
    Lab { seed, operator_cloud: operator, mtu, backend, lateness_p99_max }
}
