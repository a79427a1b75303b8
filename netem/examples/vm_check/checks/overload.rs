//! A queue in front of a rate.

use std::time::Duration;

use farquorum_config::LinkShape;
use farquorum_netem::lab::Lab;

use super::{DELAY_MS, WAY, float, median};
use crate::Outcome;
use crate::figure::Figure;
use crate::network::plain;
use crate::train::{self, Train};

/// A queue in front of a rate, kept full: the rate, and the time to wait in the queue.
pub(super) fn overload(lab: &Lab, floor_ms: f64) -> Outcome<Vec<Figure>> {
    const MBIT: f64 = 10.0;
    const PACKET_BYTES: usize = 1_500;
    const QUEUE_BYTES: u32 = 45_000;
    let shape = LinkShape { rate_mbit: Some(MBIT), queue_bytes: Some(QUEUE_BYTES.into()), ..plain(DELAY_MS) };
    lab.control().set_link("aws", "gcp", shape)?;
    let train = Train { spacing: Duration::from_micros(600), bytes: PACKET_BYTES, ..Train::of(600, 0) };
    let arrivals = train::run(lab, WAY, train, || Ok(()))?;
    let late: Vec<_> = arrivals.iter().skip(arrivals.len() / 2).copied().collect();
    let (Some(first), Some(last)) = (late.first(), late.last()) else {
        return Err("nothing passed a link with a rate".into());
    };
    let bits = float((late.len() - 1) * PACKET_BYTES * 8);
    let mbit = bits * 1e3 / float(last.received_ns - first.received_ns);
    // The queue, full; the packet that found room waited for the ones before it and took its own time.
    let full_ms = DELAY_MS + f64::from(QUEUE_BYTES) * 8.0 / MBIT / 1e3;
    // A packet at a time fits or does not: two of them are allowed.
    let off_ms = 2.0 * float(PACKET_BYTES) * 8.0 / MBIT / 1e3;
    Ok(vec![
        Figure::new("rate under overload".into(), "Mbit/s", MBIT, mbit, 0.02 * MBIT),
        Figure::new(
            "delay with a full queue, median".into(),
            "ms",
            full_ms,
            median(&late) - floor_ms,
            off_ms,
        ),
    ])
}
