//! Shares of loss, bursts, copies and damage.

use super::*;

fn lost(loss: Loss, packets: u64) -> Vec<bool> {
    let mut model = LinkModel::new(LinkShape { loss, ..shape(1.0) }, 7);
    (0..packets).map(|packet| model.offer(packet * MS, 100) == Verdict::Drop(Reason::Lost)).collect()
}

/// Lengths of the runs of `true`.
fn bursts(lost: &[bool]) -> Vec<usize> {
    lost.chunk_by(|a, b| a == b).filter(|run| run[0]).map(<[bool]>::len).collect()
}

#[test]
fn independent_losses_have_the_configured_share() {
    let lost = lost(Loss::Independent(0.05), 100_000).iter().filter(|lost| **lost).count();
    // Standard deviation: sqrt(100,000 x 0.05 x 0.95) = 69.
    assert!((4_650..=5_350).contains(&lost), "{lost} of 100,000");
}

#[test]
fn bursts_have_the_configured_share_length_and_distance() {
    // enter, leave; a bad time lasts 1/leave packets, a good one 1/enter. The larger is 500, and the runs must be
    // enough for a mean within 10 % (at least 2,000 of them: 1/sqrt(2,000) = 2.2 %).
    for (enter, leave) in [(0.01, 0.25), (0.1, 0.1), (0.002, 0.02)] {
        let gilbert = Gilbert { enter, leave, lost_in_bad: 1.0, lost_in_good: 0.0 };
        let lost = lost(Loss::Gilbert(gilbert), 1_200_000);
        let bursts = bursts(&lost);
        assert!(bursts.len() > 2_000, "{} bursts", bursts.len());
        let total: usize = bursts.iter().sum();
        let near = |what: &str, got: f64, expected: f64| {
            assert!((got / expected - 1.0).abs() < 0.1, "{gilbert:?}: {what} {got}, expected {expected}");
        };
        near("length", total as f64 / bursts.len() as f64, 1.0 / leave);
        near("share", total as f64 / lost.len() as f64, enter / (enter + leave));
        near("bursts a packet", bursts.len() as f64 / lost.len() as f64, enter * leave / (enter + leave));
        // Geometric: no memory beyond the state. A burst lasts longer than twice its mean with (1 - leave)^(2/leave).
        let (twice, mut long) = ((2.0 / leave).round() as usize, bursts);
        long.retain(|length| *length > twice);
        let expected = (1.0 - leave).powi(i32::try_from(twice).unwrap());
        near("share of long ones", long.len() as f64 * (total as f64 / leave.recip()).recip(), expected);
    }
}

#[test]
fn the_two_states_lose_what_they_should() {
    let gilbert = Gilbert { enter: 0.02, leave: 0.1, lost_in_bad: 0.5, lost_in_good: 0.01 };
    let lost = lost(Loss::Gilbert(gilbert), 1_000_000);
    let share = lost.iter().filter(|lost| **lost).count() as f64 / lost.len() as f64;
    let expected = Loss::Gilbert(gilbert).share();
    assert!((share / expected - 1.0).abs() < 0.05, "{share}, expected {expected}");
    // Behind a lost packet the next is lost more often than on average: losses come together.
    let behind = lost.windows(2).filter(|pair| pair[0]).filter(|pair| pair[1]).count() as f64;
    let behind = behind / lost.iter().filter(|lost| **lost).count() as f64;
    assert!(behind > 3.0 * share, "{behind} behind a lost one, {share} on average");
}

#[test]
fn as_many_packets_are_doubled_and_damaged_as_asked() {
    let mut model = LinkModel::new(LinkShape { duplicate: 0.1, corrupt: 0.2, ..shape(5.0) }, 7);
    let (mut copies, mut damaged, mut both, mut bits) = (0, 0, 0, [0_u32; 8]);
    for packet in 0..100_000 {
        let Verdict::Deliver(delivery) = model.offer(packet * MS, 100) else { panic!("a loss") };
        assert!(delivery.copy_at_ns.is_none_or(|at_ns| at_ns >= delivery.at_ns));
        copies += u32::from(delivery.copy_at_ns.is_some());
        both += u32::from(delivery.copy_at_ns.is_some() && delivery.flipped_bit.is_some());
        if let Some(bit) = delivery.flipped_bit {
            damaged += 1;
            bits[usize::try_from(bit % 8).unwrap()] += 1;
        }
    }
    // Standard deviations: 95, 126 and 44; of each bit 47.
    assert!((9_500..=10_500).contains(&copies), "{copies} copies of 100,000");
    assert!((19_350..=20_650).contains(&damaged), "{damaged} damaged of 100,000");
    assert!((1_780..=2_220).contains(&both), "{both} both of 100,000");
    assert!(bits.iter().all(|count| (2_250..=2_750).contains(count)), "{bits:?}");
}
