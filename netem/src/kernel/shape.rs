//! A link's shape as a netem, or what of it netem cannot do. Pure.
//!
//! What is refused: jitter with a memory (netem's own correlation follows packets, not time, and distorts the
//! distribution), reordering (netem sends what overtakes without any delay), CoDel, and corruption (netem also hits IP
//! headers).
//!
//! Limits: netem counts packets where the model counts bytes, and has one limit for what waits and what is on the line.
//! So a full queue is exact for packets of the MTU in a steady stream; a burst onto an empty line finds more room than in
//! user space, and small packets less.

use farquorum_config::{Jitter, LinkShape, Loss, Queue, Spread};

use super::qdisc::{Netem, NetemLoss};
use super::table::{UNITS_MAX, normal, table, uniform};

/// The rate of a link without one, bytes per second. netem keeps packets in order only when it has a rate; at this
/// one the largest packet takes 9 ns.
const UNLIMITED: u64 = 1_000_000_000_000;
/// Packets that a link without a rate holds: 80,000 packets/s over 0.8 s.
const UNLIMITED_PACKETS: u32 = 65_536;
/// Least queue when none is configured, as in the model: forty full packets, so that a slow link still takes a burst.
const QUEUE_BYTES_MIN: f64 = 65_536.0;
const NS_PER_MS: f64 = 1e6;

/// The netem that does what a checked shape says to packets of at most `mtu` bytes, or what it cannot do and the way
/// out.
pub(super) fn netem(shape: &LinkShape, mtu: u16, seed: u64) -> Result<Netem, String> {
    refuse(shape)?;
    let (delay_ms, unit_ms, table) = delays(shape.delay_ms, shape.jitter.as_ref())?;
    let loss = match shape.loss {
        Loss::Independent(share) => NetemLoss::Share(share),
        Loss::Gilbert(farquorum_config::Gilbert { enter, leave, lost_in_bad, lost_in_good }) => {
            NetemLoss::Gilbert { enter, leave, lost_in_bad, lost_in_good }
        }
    };
    let (rate, limit) = rate_and_limit(shape, mtu);
    let jitter_ns = u32::try_from(whole(unit_ms * NS_PER_MS)).unwrap_or(u32::MAX);
    let delay_ns = whole(delay_ms * NS_PER_MS);
    Ok(Netem { delay_ns, jitter_ns, table, loss, duplicate: shape.duplicate, rate, limit, seed })
}

fn refuse(shape: &LinkShape) -> Result<(), String> {
    let memory_ms = shape.jitter.as_ref().map_or(0.0, |jitter| jitter.memory_ms);
    let unknown = [
        (memory_ms > 0.0, format!("jitter_memory_ms = {memory_ms} (0 is possible: each packet by itself)")),
        (shape.reorder > 0.0, format!("reorder = {}", shape.reorder)),
        (shape.corrupt > 0.0, format!("corrupt = {}", shape.corrupt)),
        (shape.queue != Queue::Tail, "queue = \"codel\"".to_string()),
    ];
    match unknown.into_iter().find(|(asked, _)| *asked) {
        Some((_, what)) => Err(cannot(&what)),
        None => Ok(()),
    }
}

fn cannot(what: &str) -> String {
    format!("the kernel's netem cannot do {what}; the WAN in user space can: lab.backend = \"user\"")
}

/// The delay in the middle of the table, what one unit of the table means (both ms), and the table.
fn delays(delay_ms: f64, jitter: Option<&Jitter>) -> Result<(f64, f64, Vec<i16>), String> {
    let (middle_ms, unit_ms, table) = match jitter.map(|jitter| &jitter.spread) {
        None => (delay_ms, 0.0, table(normal)),
        Some(Spread::Normal { deviation_ms }) => (delay_ms, *deviation_ms, table(normal)),
        Some(Spread::Uniform { half_width_ms }) => (delay_ms, *half_width_ms, table(uniform)),
        Some(Spread::Empirical(quantiles)) => {
            let half_ms = quantiles.at(1.0) / 2.0;
            // As many units as a table holds, for the finest steps; a table of zeros when there is nothing to vary.
            let unit_ms = half_ms / UNITS_MAX;
            let units = |share| if unit_ms > 0.0 { (quantiles.at(share) - half_ms) / unit_ms } else { 0.0 };
            (delay_ms + half_ms, unit_ms, table(units))
        }
    };
    // The kernel multiplies the unit with 32 bits.
    if unit_ms * NS_PER_MS > f64::from(i32::MAX) {
        return Err(cannot(&format!("jitter of {unit_ms} ms (at most 2147)")));
    }
    Ok((middle_ms, unit_ms, table))
}

/// Bytes per second, and packets that wait or are on the line.
fn rate_and_limit(shape: &LinkShape, mtu: u16) -> (u64, u32) {
    let Some(mbit) = shape.rate_mbit else { return (UNLIMITED, UNLIMITED_PACKETS) };
    let bytes_per_ms = mbit * 125.0;
    let line_bytes = bytes_per_ms * shape.median_delay_ms();
    let queue_bytes = match shape.queue_bytes {
        Some(bytes) => u32::try_from(bytes).map_or(f64::MAX, f64::from),
        None => (1.5 * bytes_per_ms * shape.delay_ms).max(QUEUE_BYTES_MIN),
    };
    let packets = ((line_bytes + queue_bytes) / f64::from(mtu)).ceil();
    let limit = u32::try_from(whole(packets)).unwrap_or(u32::MAX).max(1);
    (whole(bytes_per_ms * 1e3).max(1), limit)
}

#[allow(clippy::as_conversions, reason = "float to integer has no other form; `as` saturates")]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
#[path = "shape_tests.rs"]
mod tests;
