//! What becomes of each part of a shape, and what is refused.

#![allow(clippy::as_conversions, reason = "small counts of a test")]

use farquorum_config::{Codel, Gilbert, Quantiles};

use super::*;
use crate::kernel::table::SCALE;

fn of(shape: LinkShape) -> Result<Netem, String> {
    netem(&LinkShape { delay_ms: 20.0, ..shape }, 1_500, 1)
}

fn jitter(spread: Spread) -> LinkShape {
    LinkShape { jitter: Some(Jitter { spread, memory_ms: 0.0 }), ..LinkShape::default() }
}

/// The delays of the table, ms.
fn table_ms(netem: &Netem) -> Vec<f64> {
    let unit_ms = f64::from(netem.jitter_ns) / NS_PER_MS;
    let middle_ms = netem.delay_ns as f64 / NS_PER_MS;
    netem.table.iter().map(|value| middle_ms + f64::from(*value) / SCALE * unit_ms).collect()
}

#[test]
fn a_link_without_a_rate_still_has_one_for_its_order() {
    let netem = of(LinkShape::default()).unwrap();
    assert_eq!((netem.delay_ns, netem.jitter_ns, netem.loss), (20_000_000, 0, NetemLoss::Share(0.0)));
    assert_eq!((netem.rate, netem.limit), (UNLIMITED, UNLIMITED_PACKETS));
}

#[test]
fn the_limit_is_what_is_on_the_line_and_what_waits() {
    // 100 Mbit/s for 20 ms: 250,000 bytes on the line.
    for (queue_bytes, packets) in [(None, 417), (Some(45_000), 197), (Some(1_500), 168)] {
        let netem = of(LinkShape { rate_mbit: Some(100.0), queue_bytes, ..LinkShape::default() }).unwrap();
        assert_eq!((netem.rate, netem.limit), (12_500_000, packets), "{queue_bytes:?}");
    }
}

#[test]
fn every_distribution_has_its_table() {
    let quantiles = Quantiles::new(vec![0.0, 1.0, 10.0]).unwrap();
    for (spread, low, middle, high) in [
        (Spread::Normal { deviation_ms: 2.0 }, 20.0 - 2.0 * 2.3263, 20.0, 20.0 + 2.0 * 2.3263),
        (Spread::Uniform { half_width_ms: 5.0 }, 15.1, 20.0, 24.9),
        (Spread::Empirical(quantiles), 20.02, 21.0, 29.82),
    ] {
        let netem = of(jitter(spread)).unwrap();
        let table = table_ms(&netem);
        let at = |share: f64| table[(share * table.len() as f64) as usize];
        for (share, expected) in [(0.01, low), (0.5, middle), (0.99, high)] {
            assert!(
                (at(share) - expected).abs() < 0.02,
                "{netem:?}: {share} is {}, not {expected}",
                at(share)
            );
        }
    }
}

#[test]
fn bursts_and_doubles_are_netems_own() {
    let gilbert = Gilbert { enter: 0.1, leave: 0.2, lost_in_bad: 0.9, lost_in_good: 0.01 };
    let shape = LinkShape { loss: Loss::Gilbert(gilbert), duplicate: 0.3, ..LinkShape::default() };
    let netem = of(shape).unwrap();
    let loss = NetemLoss::Gilbert { enter: 0.1, leave: 0.2, lost_in_bad: 0.9, lost_in_good: 0.01 };
    assert_eq!((netem.loss, netem.duplicate), (loss, 0.3));
}

#[test]
fn what_netem_cannot_do_is_refused_with_the_way_out() {
    let codel = Codel { target_ms: 5.0, interval_ms: 100.0 };
    let slow = Spread::Uniform { half_width_ms: 3_000.0 };
    for (shape, part) in [
        (
            LinkShape { jitter: Some(Jitter::normal(2.0)), ..LinkShape::default() },
            "jitter_memory_ms = 20 (0 is",
        ),
        (jitter(slow), "jitter of 3000 ms"),
        (LinkShape { reorder: 0.1, ..LinkShape::default() }, "reorder = 0.1"),
        (LinkShape { corrupt: 0.1, ..LinkShape::default() }, "corrupt = 0.1"),
        (LinkShape { queue: Queue::Codel(codel), ..LinkShape::default() }, "queue = \"codel\""),
    ] {
        let error = of(shape).unwrap_err();
        assert!(error.contains(part) && error.contains("lab.backend = \"user\""), "{error}");
    }
}
