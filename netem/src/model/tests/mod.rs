//! What the link model promises. Here: order, rate, repeatability; beside it the statistics of jitter, loss and
//! queues, over fixed seeds, with bounds at five standard errors or more, so that no run differs from the next.

#![allow(clippy::as_conversions, reason = "counts and times far below 2^53, as floats")]

mod jitter;
mod loss;
mod queue;

use farquorum_config::{Codel, Gilbert, Jitter, LinkShape, Loss, Quantiles, Queue, Spread};
use proptest::prelude::*;

use super::{Delivery, LinkModel, Reason, Verdict, link_seed};

const MS: u64 = 1_000_000;

fn shape(delay_ms: f64) -> LinkShape {
    LinkShape { delay_ms, ..LinkShape::default() }
}

fn jitters(delay_ms: f64) -> impl Strategy<Value = Option<Jitter>> {
    let size_ms = move || 0.0..=delay_ms;
    let table = prop::collection::vec(0.0..50.0, 2..9).prop_map(|mut values| {
        values.sort_by(f64::total_cmp);
        Spread::Empirical(Quantiles::new(values).unwrap())
    });
    let spread = prop_oneof![
        size_ms().prop_map(|deviation_ms| Spread::Normal { deviation_ms }),
        size_ms().prop_map(|half_width_ms| Spread::Uniform { half_width_ms }),
        table,
    ];
    let jitter = (spread, 0.0..100.0).prop_map(|(spread, memory_ms)| Jitter { spread, memory_ms });
    prop::option::of(jitter)
}

fn losses() -> impl Strategy<Value = Loss> {
    let gilbert =
        (0.0..1.0, 0.01..1.0, 0.0..1.0, 0.0..0.2).prop_map(|(enter, leave, lost_in_bad, lost_in_good)| {
            Loss::Gilbert(Gilbert { enter, leave, lost_in_bad, lost_in_good })
        });
    prop_oneof![(0.0..0.5).prop_map(Loss::Independent), gilbert]
}

/// Rate, queue and discipline.
fn rates() -> impl Strategy<Value = (Option<f64>, Option<u64>, Queue)> {
    let queue =
        prop_oneof![Just(Queue::Tail), Just(Queue::Codel(Codel { target_ms: 1.0, interval_ms: 10.0 }))];
    let limited = (0.1..1_000.0, prop::option::of(1_500_u64..1_000_000), queue)
        .prop_map(|(mbit, bytes, queue)| (Some(mbit), bytes, queue));
    prop_oneof![Just((None, None, Queue::Tail)), limited]
}

/// Any shape that the checks accept, without reordering.
fn shapes() -> impl Strategy<Value = LinkShape> {
    let jittery = (0.0..300.0).prop_flat_map(|delay_ms| (Just(delay_ms), jitters(delay_ms)));
    (jittery, losses(), rates(), 0.0..0.5, 0.0..0.5).prop_map(
        |((delay_ms, jitter), loss, rate, duplicate, corrupt)| {
            let (rate_mbit, queue_bytes, queue) = rate;
            LinkShape {
                delay_ms,
                jitter,
                loss,
                rate_mbit,
                queue_bytes,
                queue,
                reorder: 0.0,
                duplicate,
                corrupt,
            }
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

/// When each packet that is delivered was offered, its size, and when it arrives; copies too, behind their original.
fn delivered(fates: &[(u64, usize, Verdict)]) -> Vec<(u64, usize, u64)> {
    let mut times = Vec::new();
    for (now_ns, bytes, verdict) in fates {
        if let Verdict::Deliver(delivery) = verdict {
            let arrivals = [Some(delivery.at_ns), delivery.copy_at_ns].into_iter().flatten();
            times.extend(arrivals.map(|at_ns| (*now_ns, *bytes, at_ns)));
        }
    }
    times
}

/// Packets `gap_ns` apart, each of 100 bytes: how long each took, nanoseconds; the lost ones are missing.
fn took(model: &mut LinkModel, packets: u64, gap_ns: u64) -> Vec<u64> {
    let train = (0..packets).map(|packet| packet * gap_ns);
    let time = |now_ns: u64| match model.offer(now_ns, 100) {
        Verdict::Deliver(delivery) => Some(delivery.at_ns - now_ns),
        Verdict::Drop(_) => None,
    };
    train.filter_map(time).collect()
}

proptest! {
    #[test]
    fn first_in_first_out_and_never_before_it_was_sent(shape in shapes(), train in trains(), seed: u64) {
        prop_assert!(shape.check().is_ok());
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
            let now_ns = start_ns + gap_ns;
            times.extend(delivered(&[(now_ns, *bytes, changed.offer(now_ns, *bytes))]));
        }
        prop_assert!(times.windows(2).all(|pair| pair[0].2 <= pair[1].2));
    }

    /// Between any two arrivals there is time for every packet after the first, the last included.
    #[test]
    fn the_rate_is_never_exceeded_over_any_window(
        (mbit, bytes, queue) in rates(), train in trains(), duplicate in 0.0..0.5, seed: u64,
    ) {
        let mbit = mbit.unwrap_or(10.0);
        let limited = LinkShape { rate_mbit: Some(mbit), queue_bytes: bytes, queue, duplicate, ..shape(10.0) };
        let times = delivered(&run(&mut LinkModel::new(limited, seed), &train));
        // Without jitter: behind the line they are as they were in front of it.
        for (first, (.., start_ns)) in times.iter().enumerate() {
            let mut sent = 0.0;
            for (_, bytes, at_ns) in &times[first + 1..] {
                sent += *bytes as f64;
                let least_ns = (sent * 8_000.0 / mbit).floor() as u64;
                prop_assert!(at_ns - start_ns >= least_ns);
            }
        }
    }

    #[test]
    fn the_same_seed_and_packets_have_the_same_fates(shape in shapes(), train in trains(), seed: u64) {
        let mut model = LinkModel::new(shape.clone(), seed);
        prop_assert_eq!(run(&mut model, &train), run(&mut LinkModel::new(shape, seed), &train));
    }

    #[test]
    fn a_cut_shifts_no_draw_of_later_packets(shape in shapes(), train in trains(), seed: u64) {
        let unlimited =
            LinkShape { rate_mbit: None, queue_bytes: None, queue: Queue::Tail, ..shape };
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
