//! The queue before a rate: its bound, tail drop, CoDel.

use super::*;

#[test]
fn a_full_queue_drops_and_an_empty_one_takes_any_packet() {
    let tight = LinkShape { rate_mbit: Some(8.0), queue_bytes: Some(3_000), ..shape(10.0) };
    // 8 Mbit/s: 1 us a byte, so a packet of 1,000 bytes takes 1 ms.
    let mut model = LinkModel::new(tight, 1);
    let fates: Vec<_> = (0..5).map(|_| model.offer(0, 1_000)).collect();
    let deliver =
        |ms: u64| Verdict::Deliver(Delivery { at_ns: ms * MS, copy_at_ns: None, flipped_bit: None });
    let full = Verdict::Drop(Reason::QueueFull);
    assert_eq!(fates, [deliver(11), deliver(12), deliver(13), full, full]);
    assert_eq!(model.offer(MS, 1_000), deliver(14));
    let narrow = LinkShape { rate_mbit: Some(8.0), queue_bytes: Some(1_500), ..shape(10.0) };
    assert_eq!(LinkModel::new(narrow, 1).offer(0, 9_000), deliver(19));
}

#[test]
fn the_default_queue_is_one_and_a_half_products_of_rate_and_delay() {
    // 100 Mbit/s x 100 ms = 1,250,000 bytes; a packet of 1,250 bytes takes 0.1 ms.
    let mut model = LinkModel::new(LinkShape { rate_mbit: Some(100.0), ..shape(100.0) }, 1);
    let taken = (0..3_000).filter(|_| matches!(model.offer(0, 1_250), Verdict::Deliver(_))).count();
    assert_eq!(taken, 1_500);
}

#[test]
fn a_copy_that_finds_no_room_is_not_made() {
    let tight = LinkShape { rate_mbit: Some(8.0), queue_bytes: Some(3_000), duplicate: 1.0, ..shape(0.0) };
    let mut model = LinkModel::new(tight, 1);
    let deliver = |at: u64, copy: Option<u64>| {
        let copy_at_ns = copy.map(|ms| ms * MS);
        Verdict::Deliver(Delivery { at_ns: at * MS, copy_at_ns, flipped_bit: None })
    };
    let fates = [model.offer(0, 1_000), model.offer(0, 1_000), model.offer(0, 1_000)];
    assert_eq!(fates, [deliver(1, Some(2)), deliver(3, None), Verdict::Drop(Reason::QueueFull)]);
}

/// A sender as TCP's (a window that grows by one packet a round trip and is halved at most once in one when a packet
/// is dropped) over 20 ms into a link of 10 Mbit/s: waits in the queue in the second half of 60 s, milliseconds,
/// sorted; and the share of the rate that was used.
fn overload(queue: Queue) -> (Vec<f64>, f64) {
    // 10 Mbit/s are one such packet a millisecond.
    const PACKET_BYTES: usize = 1_250;
    let link = LinkShape { rate_mbit: Some(10.0), queue_bytes: Some(250_000), queue, ..shape(0.0) };
    let mut model = LinkModel::new(link, 1);
    let (mut now_ms, mut window, mut rtt_ms, mut halved_ms) = (0.0_f64, 10.0_f64, 20.0, 0.0);
    let (mut waits, mut sent) = (Vec::new(), 0.0);
    while now_ms < 60_000.0 {
        let now_ns = (now_ms * 1e6) as u64;
        match model.offer(now_ns, PACKET_BYTES) {
            Verdict::Deliver(delivery) => {
                let wait_ms = (delivery.at_ns - now_ns) as f64 / 1e6 - 1.0;
                rtt_ms = 20.0 + wait_ms;
                window += 1.0 / window;
                if now_ms > 30_000.0 {
                    sent += 1.0;
                    waits.push(wait_ms);
                }
            }
            Verdict::Drop(_) if now_ms - halved_ms > rtt_ms => {
                window = (window / 2.0).max(2.0);
                halved_ms = now_ms;
            }
            Verdict::Drop(_) => {}
        }
        now_ms += rtt_ms / window;
    }
    waits.sort_by(f64::total_cmp);
    (waits, sent / 30_000.0)
}

#[test]
fn codel_keeps_the_wait_near_its_target_where_tail_drop_does_not() {
    let median = |waits: &[f64]| waits[waits.len() / 2];
    let (tail, tail_used) = overload(Queue::Tail);
    let (codel, codel_used) = overload(Queue::Codel(Codel::default()));
    // The queue of 250 kB is 200 ms long.
    println!("median wait: tail {:.1} ms, CoDel {:.1} ms", median(&tail), median(&codel));
    println!("used: tail {tail_used:.3}, CoDel {codel_used:.3}");
    assert!(median(&tail) > 50.0, "tail drop: median wait {} ms", median(&tail));
    assert!(median(&codel) < 15.0, "CoDel: median wait {} ms", median(&codel));
    assert!(codel_used > 0.7, "CoDel used {codel_used} of the rate");
}

/// A flood that never slows down: CoDel drops ever more often, by its control law, and never the last packet.
#[test]
fn codel_waits_an_interval_and_then_drops_at_shrinking_distances() {
    let queue = Queue::Codel(Codel { target_ms: 5.0, interval_ms: 100.0 });
    let link = LinkShape { rate_mbit: Some(10.0), queue_bytes: Some(100_000_000), queue, ..shape(0.0) };
    let mut model = LinkModel::new(link, 1);
    // Packets of 1 ms, one each 0.9 ms. One that leaves the queue at `leaves` had waited since it came.
    let mut drops_ms = Vec::new();
    let mut leaves_ms = 0.0_f64;
    for packet in 0..4_000_u64 {
        let now_ms = packet as f64 * 0.9;
        leaves_ms = leaves_ms.max(now_ms);
        match model.offer(packet * 900_000, 1_250) {
            Verdict::Deliver(_) => leaves_ms += 1.0,
            Verdict::Drop(reason) => {
                assert_eq!(reason, Reason::Waited);
                drops_ms.push(leaves_ms);
            }
        }
    }
    // The wait grows by 0.1 ms a packet: above 5 ms at 50 ms, above it for 100 ms at 150 ms.
    assert!((149.0..=153.0).contains(&drops_ms[0]), "first drop at {} ms", drops_ms[0]);
    for (drops, pair) in drops_ms.windows(2).take(20).enumerate() {
        let expected_ms = 100.0 / ((drops + 1) as f64).sqrt();
        assert!(
            (pair[1] - pair[0] - expected_ms).abs() < 2.1,
            "drop {drops}: {} ms, {expected_ms}",
            pair[1] - pair[0]
        );
    }
    // A link so slow that one packet takes longer than the target is left alone.
    let slow = LinkShape { rate_mbit: Some(0.5), queue: Queue::Codel(Codel::default()), ..shape(0.0) };
    let mut model = LinkModel::new(slow, 1);
    // 1,500 bytes take 24 ms; two at once, again and again: each second one waits 24 ms.
    let fates: Vec<_> = (0..200).map(|packet| model.offer(packet / 2 * 60 * MS, 1_500)).collect();
    assert!(fates.iter().all(|fate| matches!(fate, Verdict::Deliver(_))));
}
