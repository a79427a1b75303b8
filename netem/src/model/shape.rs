//! A link shape in the units of the model, and the check of shapes that come from a person.

use farquorum_config::LinkShape;

const NS_PER_MS: f64 = 1e6;
/// Least queue when none is configured: forty full packets, so that a slow link still takes a burst.
const QUEUE_BYTES_MIN: f64 = 65_536.0;

/// A value of a shape is outside its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{key} = {value} is not allowed: {allowed}")]
pub struct ShapeError {
    key: &'static str,
    value: f64,
    allowed: &'static str,
}

/// Checks every value of a shape against the ranges that [`LinkShape`] names.
pub fn check(shape: &LinkShape) -> Result<(), ShapeError> {
    let within = |key, value: f64, max: f64, allowed| {
        if (0.0..=max).contains(&value) { Ok(()) } else { Err(ShapeError { key, value, allowed }) }
    };
    within("delay_ms", shape.delay_ms, 60_000.0, "0 to 60000 ms, one way")?;
    within(
        "jitter_ms",
        shape.jitter_ms,
        shape.delay_ms,
        "0 to the delay (a packet cannot arrive before it left)",
    )?;
    within("loss", shape.loss, 1.0, "0 to 1, the share of packets lost")?;
    within("reorder", shape.reorder, 1.0, "0 to 1, the share of packets that overtake")?;
    match shape.rate_mbit {
        Some(value) if !(0.001..=1e6).contains(&value) => Err(ShapeError {
            key: "rate_mbit",
            value,
            allowed: "0.001 to 1000000 Mbit/s, or none for unlimited",
        }),
        _ => Ok(()),
    }
}

/// A shape in nanoseconds.
#[derive(Clone, Debug)]
pub(super) struct Params {
    delay_ns: f64,
    jitter_ns: f64,
    pub(super) loss: f64,
    pub(super) reorder: f64,
    pub(super) rate: Option<Rate>,
}

/// A rate and the queue before it, both as time.
#[derive(Clone, Debug)]
pub(super) struct Rate {
    ns_per_byte: f64,
    /// Time that a full queue takes to drain.
    pub(super) queue_ns: u64,
}

impl Params {
    pub(super) fn of(shape: &LinkShape) -> Params {
        let rate = shape.rate_mbit.filter(|mbit| *mbit > 0.0).map(|mbit| {
            let ns_per_byte = 8_000.0 / mbit;
            let bdp_bytes = shape.delay_ms * NS_PER_MS / ns_per_byte;
            let queue_bytes = match shape.queue_bytes {
                Some(bytes) => float(bytes),
                None => (1.5 * bdp_bytes).max(QUEUE_BYTES_MIN),
            };
            Rate { ns_per_byte, queue_ns: whole(queue_bytes * ns_per_byte) }
        });
        Params {
            delay_ns: shape.delay_ms * NS_PER_MS,
            jitter_ns: shape.jitter_ms * NS_PER_MS,
            loss: shape.loss,
            reorder: shape.reorder,
            rate,
        }
    }

    /// Delay of one packet; `normal` is a draw of the standard normal distribution.
    pub(super) fn delay_ns(&self, normal: f64) -> u64 {
        whole(self.delay_ns + self.jitter_ns * normal)
    }
}

impl Rate {
    /// Time to serialise so many bytes, rounded up: the rate is never exceeded.
    pub(super) fn time_ns(&self, bytes: usize) -> u64 {
        whole((float(bytes) * self.ns_per_byte).ceil())
    }
}

/// Rounds to whole nanoseconds; below zero and not-a-number become zero.
#[allow(clippy::as_conversions, reason = "float to integer has no other form; `as` saturates")]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// Counts as floats: exact up to 2^53, far above any packet or queue.
#[allow(clippy::as_conversions, reason = "integer to float has no other form for 64 bits")]
fn float(count: impl TryInto<u64>) -> f64 {
    count.try_into().unwrap_or(u64::MAX) as f64
}
