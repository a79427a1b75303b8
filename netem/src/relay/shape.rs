//! What of a link's shape a stream of bytes can have, and how much of it may wait. Pure.

use farquorum_config::{LinkShape, Loss, Queue};

use super::engine::CONNECTIONS_MAX;

/// Bytes that one direction of a connection holds without a rate: what a receive window of Linux amounts to over a
/// long line (`tcp_rmem` grows to 6 MiB, of which the payload gets less). So one connection carries at most this much
/// per delay, as it would on a real line, and a receiver that stands still costs no more memory than this.
pub(super) const HELD_BYTES_MAX: usize = 4 << 20;
/// Bytes that all connections hold together: sixteen full ones, which is more than a simulation's nodes and workers
/// have on the way at once.
pub(super) const HELD_TOTAL_MAX: usize = 16 * HELD_BYTES_MAX;
/// Bytes that each direction may hold whatever the others do, so that receivers that stand still stop nobody else.
pub(super) const HELD_SHARE_MIN: usize = 16 << 10;
// All connections together go beyond the total by a quarter at most.
const _: () = assert!(CONNECTIONS_MAX * 2 * HELD_SHARE_MIN <= HELD_TOTAL_MAX / 4);
/// Least queue when none is configured, as in the model.
const QUEUE_BYTES_MIN: f64 = 65_536.0;

/// Refuses what needs packets: the key, why, and the way out.
pub(super) fn refuse(shape: &LinkShape) -> Result<(), String> {
    let loss = match &shape.loss {
        Loss::Independent(share) => format!("loss = {share}"),
        Loss::Gilbert(_) => "loss_gilbert (loss in bursts)".to_string(),
    };
    let needs_packets = [
        (shape.loss.share() > 0.0, loss),
        (shape.reorder > 0.0, format!("reorder = {}", shape.reorder)),
        (shape.duplicate > 0.0, format!("duplicate = {}", shape.duplicate)),
        (shape.corrupt > 0.0, format!("corrupt = {}", shape.corrupt)),
        (shape.queue != Queue::Tail, "queue = \"codel\"".to_string()),
    ];
    match needs_packets.into_iter().find(|(asked, _)| *asked) {
        Some((_, what)) => Err(format!(
            "the relays carry bytes, not packets, and cannot do {what}; they do delay, jitter, rate and cuts, the WAN \
             in user space does the rest: lab.backend = \"user\" (it needs user namespaces or root)"
        )),
        None => Ok(()),
    }
}

/// The shape for the link model. Bytes are never dropped: what a full queue would drop is not taken from its sender
/// ([`held_bytes_max`]), so that here the queue has no end.
pub(super) fn endless(shape: &LinkShape) -> LinkShape {
    LinkShape { queue_bytes: Some(u64::MAX), ..shape.clone() }
}

/// Bytes that one direction of a connection may hold: those on the line and in the queue before the rate. Its sender
/// is not read beyond that, which is what a full window does to it.
pub(super) fn held_bytes_max(shape: &LinkShape) -> usize {
    let Some(mbit) = shape.rate_mbit else { return HELD_BYTES_MAX };
    let line_bytes = mbit * 125.0 * shape.delay_ms;
    let queue_bytes = match shape.queue_bytes {
        Some(bytes) => u32::try_from(bytes).map_or(f64::MAX, f64::from),
        None => (1.5 * line_bytes).max(QUEUE_BYTES_MIN),
    };
    whole(line_bytes + queue_bytes).clamp(1, HELD_BYTES_MAX)
}

/// Bytes that a direction may take in now: it may hold `most` and holds `held`, all together hold `total`.
pub(super) fn room(most: usize, held: usize, total: usize) -> usize {
    let shared = HELD_TOTAL_MAX.saturating_sub(total);
    let own = HELD_SHARE_MIN.saturating_sub(held);
    most.saturating_sub(held).min(shared.max(own))
}

#[allow(clippy::as_conversions, reason = "float to integer has no other form; `as` saturates")]
fn whole(value: f64) -> usize {
    value.ceil() as usize
}

#[cfg(test)]
mod tests {
    use farquorum_config::{Gilbert, Jitter, Spread};

    use super::*;

    const BURSTS: Gilbert = Gilbert { enter: 0.01, leave: 0.5, lost_in_bad: 1.0, lost_in_good: 0.0 };

    #[test]
    fn what_needs_packets_is_refused_by_its_key() {
        type Spoil = fn(&mut LinkShape);
        let cases: [(Spoil, &str); 6] = [
            (|shape| shape.loss = Loss::Gilbert(BURSTS), "cannot do loss_gilbert (loss in bursts);"),
            (|shape| shape.loss = Loss::Independent(0.05), "cannot do loss = 0.05;"),
            (|shape| shape.reorder = 0.1, "cannot do reorder = 0.1;"),
            (|shape| shape.duplicate = 0.2, "cannot do duplicate = 0.2;"),
            (|shape| shape.corrupt = 0.3, "cannot do corrupt = 0.3;"),
            (|shape| shape.queue = Queue::Codel(Default::default()), "cannot do queue = \"codel\";"),
        ];
        let jitter = Some(Jitter::new(Spread::Normal { deviation_ms: 2.0 }));
        let good = LinkShape {
            delay_ms: 20.0,
            jitter,
            rate_mbit: Some(100.0),
            queue_bytes: Some(9),
            ..LinkShape::default()
        };
        assert_eq!(refuse(&good), Ok(()));
        for (spoil, part) in cases {
            let mut shape = good.clone();
            spoil(&mut shape);
            let refused = refuse(&shape);
            let named = refused
                .as_ref()
                .is_err_and(|text| text.contains(part) && text.contains("lab.backend = \"user\""));
            assert!(named, "{refused:?} does not say `{part}`");
        }
    }

    #[test]
    fn the_bound_is_line_and_queue() {
        let shape = |delay_ms, rate_mbit, queue_bytes| LinkShape {
            delay_ms,
            rate_mbit,
            queue_bytes,
            ..LinkShape::default()
        };
        let cases = [
            (shape(50.0, None, None), HELD_BYTES_MAX),
            // 10 Mbit/s over 40 ms are 50,000 bytes on the line, and one and a half times that before it.
            (shape(40.0, Some(10.0), None), 125_000),
            (shape(40.0, Some(10.0), Some(1_000)), 51_000),
            // A short line still takes a burst.
            (shape(1.0, Some(10.0), None), 1_250 + 65_536),
            (shape(500.0, Some(10_000.0), None), HELD_BYTES_MAX),
            (shape(0.0, Some(10.0), Some(0)), 1),
        ];
        for (shape, bytes) in cases {
            assert_eq!(held_bytes_max(&shape), bytes, "{shape:?}");
        }
    }

    #[test]
    fn all_together_have_a_bound_and_each_has_a_share() {
        assert_eq!(room(HELD_BYTES_MAX, 0, 0), HELD_BYTES_MAX);
        assert_eq!(room(HELD_BYTES_MAX, 1_000, HELD_TOTAL_MAX - 5_000), HELD_SHARE_MIN - 1_000);
        assert_eq!(room(HELD_BYTES_MAX, 100_000, HELD_TOTAL_MAX - 5_000), 5_000);
        assert_eq!(room(HELD_BYTES_MAX, 100_000, HELD_TOTAL_MAX), 0);
        assert_eq!(room(HELD_BYTES_MAX, 0, usize::MAX), HELD_SHARE_MIN, "whatever the others do");
        assert_eq!(room(1_000, 400, 0), 600, "a slow link's own bound");
    }
}
