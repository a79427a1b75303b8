//! Properties of the link model, and its statistics over fixed seeds (bounds at five standard errors or more, and
//! the seeds are fixed, so that no run differs from the next).

#![allow(clippy::as_conversions, reason = "counts and times far below 2^53, as floats")]

use farquorum_config::LinkShape;
use proptest::prelude::*;

use super::{LinkModel, Reason, Verdict, check, link_seed};

const MS: u64 = 1_000_000;

fn shape(delay_ms: f64) -> LinkShape {
    LinkShape { delay_ms, ..LinkShape::default() }
}

/// Any shape that the checks accept, without reordering.
fn shapes() -> impl Strategy<Value = LinkShape> {
    let rate = prop_oneof![Just(None), (0.1..1_000.0).prop_map(Some)];
    let queue = prop_oneof![Just(None), (1_500_u64..1_000_000).prop_map(Some)];
    (0.0..300.0, 0.0..1.0, 0.0..0.5, rate, queue).prop_map(
        |(delay_ms, jitter_share, loss, rate_mbit, queue_bytes)| LinkShape {
            delay_ms,
            jitter_ms: delay_ms * jitter_share,
            loss,
            rate_mbit,
            queue_bytes,
            reorder: 0.0,
        },
    )
}

/// Gaps between packets (ns) and their sizes.
fn trains() -> impl Strategy<Value = Vec<(u64, usize)>> {
    prop::collection::vec((0_u64..3 * MS, 40_usize..1_500), 1..300)
}

fn run(model: &mut LinkModel, train: &[(u64, usize)]) -> Vec<(u64, usize, Verdict)> {
    let mut now_ns = 0;
    let mut offer = |(gap_ns, bytes): &(u64, usize)| {
        now_ns += gap_ns;
        (now_ns, *bytes, model.offer(now_ns, *bytes))
    };
    train.iter().map(&mut offer).collect()
}

fn delivered(fates: &[(u64, usize, Verdict)]) -> Vec<(u64, usize, u64)> {
    let time = |(now_ns, bytes, verdict): &(u64, usize, Verdict)| match verdict {
        Verdict::Deliver { at_ns } => Some((*now_ns, *bytes, *at_ns)),
        Verdict::Drop(_) => None,
    };
    fates.iter().filter_map(time).collect()
}

proptest! {
    #[test]
    fn first_in_first_out_and_never_before_it_was_sent(shape in shapes(), train in trains(), seed: u64) {
        prop_assert!(check(&shape).is_ok());
        let times = delivered(&run(&mut LinkModel::new(shape, seed), &train));
        prop_assert!(times.iter().all(|(now_ns, _, at_ns)| at_ns >= now_ns));
        prop_assert!(times.windows(2).all(|pair| pair[0].2 <= pair[1].2));
    }

    #[test]
    fn order_holds_across_changes_and_accepted_packets_keep_their_time(
        before in shapes(), after in shapes(), train in trains(), seed: u64,
    ) {
        let half = train.len() / 2;
        let mut changed = LinkModel::new(before.clone(), seed);
        let mut times = delivered(&run(&mut changed, &train[..half]));
        prop_assert_eq!(&times, &delivered(&run(&mut LinkModel::new(before, seed), &train[..half])));
        changed.set_shape(after);
        let start_ns: u64 = train[..half].iter().map(|(gap_ns, _)| gap_ns).sum();
        for (gap_ns, bytes) in &train[half..] {
            if let Verdict::Deliver { at_ns } = changed.offer(start_ns + gap_ns, *bytes) {
                times.push((start_ns + gap_ns, *bytes, at_ns));
            }
        }
        prop_assert!(times.windows(2).all(|pair| pair[0].2 <= pair[1].2));
    }

    #[test]
    fn the_rate_is_never_exceeded(mbit in 0.1..100.0, train in trains(), seed: u64) {
        let limited = LinkShape { rate_mbit: Some(mbit), ..shape(10.0) };
        let times = delivered(&run(&mut LinkModel::new(limited, seed), &train));
        // Without jitter: packets leave the wire at least their own length apart.
        for pair in times.windows(2) {
            let least_ns = (pair[1].1 as f64 * 8_000.0 / mbit).floor() as u64;
            prop_assert!(pair[1].2 - pair[0].2 >= least_ns);
        }
    }

    #[test]
    fn the_same_seed_and_packets_have_the_same_fates(shape in shapes(), train in trains(), seed: u64) {
        let mut model = LinkModel::new(shape.clone(), seed);
        prop_assert_eq!(run(&mut model, &train), run(&mut LinkModel::new(shape, seed), &train));
    }

    #[test]
    fn a_cut_shifts_no_draw_of_later_packets(shape in shapes(), train in trains(), seed: u64) {
        let unlimited = LinkShape { rate_mbit: None, ..shape };
        let (mut cut, mut whole) = (LinkModel::new(unlimited.clone(), seed), LinkModel::new(unlimited, seed));
        cut.set_cut(true);
        prop_assert!(run(&mut cut, &train).iter().all(|fate| fate.2 == Verdict::Drop(Reason::Cut)));
        cut.set_cut(false);
        run(&mut whole, &train);
        // Far later, so that the order of earlier packets holds nothing up.
        prop_assert_eq!(cut.offer(1_000_000 * MS, 100), whole.offer(1_000_000 * MS, 100));
    }
}

#[test]
fn loss_share_is_as_configured() {
    let mut model = LinkModel::new(LinkShape { loss: 0.05, ..shape(1.0) }, 7);
    let lost = (0..100_000).filter(|now| model.offer(now * MS, 100) == Verdict::Drop(Reason::Lost)).count();
    // Standard deviation: sqrt(100,000 x 0.05 x 0.95) = 69.
    assert!((4_650..=5_350).contains(&lost), "{lost} of 100,000");
}

#[test]
fn jitter_has_the_configured_mean_and_deviation() {
    let mut model = LinkModel::new(LinkShape { jitter_ms: 2.0, ..shape(20.0) }, 7);
    let delays_ms: Vec<f64> = (0..50_000)
        .filter_map(|packet| match model.offer(packet * 100 * MS, 100) {
            Verdict::Deliver { at_ns } => Some((at_ns - packet * 100 * MS) as f64 / 1e6),
            Verdict::Drop(_) => None,
        })
        .collect();
    let mean = delays_ms.iter().sum::<f64>() / delays_ms.len() as f64;
    let variance = delays_ms.iter().map(|delay| (delay - mean).powi(2)).sum::<f64>() / delays_ms.len() as f64;
    assert!((mean - 20.0).abs() < 0.05, "mean {mean}");
    assert!((variance.sqrt() - 2.0).abs() < 0.05, "deviation {}", variance.sqrt());
}

#[test]
fn a_full_queue_drops_and_an_empty_one_takes_any_packet() {
    let tight = LinkShape { rate_mbit: Some(8.0), queue_bytes: Some(3_000), ..shape(10.0) };
    let mut model = LinkModel::new(tight, 1);
    // 8 Mbit/s is a byte per microsecond: 1,000 bytes a millisecond.
    let fates: Vec<_> = (0..5).map(|_| model.offer(0, 1_000)).collect();
    let deliver = |ms: u64| Verdict::Deliver { at_ns: ms * MS };
    let full = Verdict::Drop(Reason::QueueFull);
    assert_eq!(fates, [deliver(11), deliver(12), deliver(13), full, full]);
    assert_eq!(model.offer(MS, 1_000), deliver(14));
    let narrow = LinkShape { rate_mbit: Some(8.0), queue_bytes: Some(10), ..shape(10.0) };
    assert_eq!(LinkModel::new(narrow, 1).offer(0, 1_000), deliver(11));
}

#[test]
fn the_default_queue_is_one_and_a_half_products_of_rate_and_delay() {
    // 100 Mbit/s x 100 ms = 1,250,000 bytes; a packet of 1,250 bytes takes 0.1 ms.
    let mut model = LinkModel::new(LinkShape { rate_mbit: Some(100.0), ..shape(100.0) }, 1);
    let taken = (0..3_000).filter(|_| matches!(model.offer(0, 1_250), Verdict::Deliver { .. })).count();
    assert_eq!(taken, 1_500);
}

#[test]
fn reordering_happens_on_request_only_as_often_as_asked_and_never_before_sending() {
    let mut model = LinkModel::new(LinkShape { reorder: 0.1, ..shape(50.0) }, 7);
    let train: Vec<_> = (0..10_000).map(|_| (MS, 100)).collect();
    let times = delivered(&run(&mut model, &train));
    assert!(times.iter().all(|(now_ns, _, at_ns)| at_ns >= now_ns));
    let overtook = times.windows(2).filter(|pair| pair[1].2 < pair[0].2).count();
    // One in ten, less those right behind another one. Standard deviation below 30.
    assert!((750..=1_150).contains(&overtook), "{overtook} of 10,000");
}

#[test]
fn links_draw_independently_of_each_other() {
    assert_ne!(link_seed(1, "aws", "gcp"), link_seed(1, "gcp", "aws"));
    assert_ne!(link_seed(1, "aws", "gcp"), link_seed(2, "aws", "gcp"));
    assert_ne!(link_seed(1, "ab", "c"), link_seed(1, "a", "bc"));
}

#[test]
fn shapes_out_of_range_are_refused_by_name() {
    let bad: [(&str, LinkShape); 8] = [
        ("delay_ms", shape(-1.0)),
        ("delay_ms", shape(60_001.0)),
        ("delay_ms", shape(f64::NAN)),
        ("jitter_ms", LinkShape { jitter_ms: 11.0, ..shape(10.0) }),
        ("loss", LinkShape { loss: 1.1, ..shape(10.0) }),
        ("reorder", LinkShape { reorder: f64::INFINITY, ..shape(10.0) }),
        ("rate_mbit", LinkShape { rate_mbit: Some(0.0), ..shape(10.0) }),
        ("rate_mbit", LinkShape { rate_mbit: Some(f64::NAN), ..shape(10.0) }),
    ];
    for (key, shape) in bad {
        let error = check(&shape).map_err(|error| error.to_string());
        assert!(
            error.as_ref().is_err_and(|text| text.starts_with(&format!("{key} = "))),
            "{shape:?}: {error:?}"
        );
    }
}
