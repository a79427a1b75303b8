//! The distribution of delays and its memory. Distances are Kolmogorov-Smirnov's: the largest difference between the
//! share of delays below a value and the configured share. Its critical value assumes independent draws (1.95 /
//! sqrt(n) at 0.1 %), so the draws are: either the memory is 0, or the packets are ten memories apart.

use super::*;
use crate::model::jitter::share_below;

const DELAY_MS: f64 = 100.0;

fn table() -> Quantiles {
    Quantiles::new(vec![0.0, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0, 3.5, 6.0, 12.0, 40.0]).unwrap()
}

fn spreads() -> [Spread; 3] {
    [Spread::Normal { deviation_ms: 5.0 }, Spread::Uniform { half_width_ms: 8.0 }, Spread::Empirical(table())]
}

/// Share of delays that are configured to be at most this long.
fn configured_share(spread: &Spread, delay_ms: f64) -> f64 {
    let extra_ms = delay_ms - DELAY_MS;
    match spread {
        Spread::Normal { deviation_ms } => share_below(extra_ms / deviation_ms),
        Spread::Uniform { half_width_ms } => ((extra_ms / half_width_ms + 1.0) / 2.0).clamp(0.0, 1.0),
        Spread::Empirical(quantiles) => {
            let values = quantiles.values_ms();
            let steps = (values.len() - 1) as f64;
            let piece = values.windows(2).position(|piece| extra_ms < piece[1]);
            piece.map_or(1.0, |at| {
                (at as f64 + ((extra_ms - values[at]) / (values[at + 1] - values[at])).max(0.0)) / steps
            })
        }
    }
}

/// Largest difference between the delays and the configured distribution.
fn distance(spread: &Spread, took_ns: &[u64]) -> f64 {
    let mut delays_ms: Vec<f64> = took_ns.iter().map(|ns| *ns as f64 / 1e6).collect();
    delays_ms.sort_by(f64::total_cmp);
    let count = delays_ms.len() as f64;
    let difference = |(rank, delay_ms): (usize, &f64)| {
        let share = configured_share(spread, *delay_ms);
        (share - rank as f64 / count).abs().max((share - (rank + 1) as f64 / count).abs())
    };
    delays_ms.iter().enumerate().map(difference).fold(0.0, f64::max)
}

fn model(spread: &Spread, memory_ms: f64) -> LinkModel {
    let jitter = Some(Jitter { spread: spread.clone(), memory_ms });
    LinkModel::new(LinkShape { jitter, ..shape(DELAY_MS) }, 7)
}

#[test]
fn a_million_draws_have_the_configured_distribution() {
    const PACKETS: u64 = 1_000_000;
    let critical = 1.95 / (PACKETS as f64).sqrt();
    for spread in spreads() {
        // Memory, and a distance between packets at which first in, first out holds nobody up (10 memories, and more
        // than the largest delay).
        for (memory_ms, gap_ms) in [(0.0, 200), (50.0, 500)] {
            let took_ns = took(&mut model(&spread, memory_ms), PACKETS, gap_ms * MS);
            let distance = distance(&spread, &took_ns);
            assert!(
                distance < critical,
                "{spread:?}, memory {memory_ms} ms: {distance:.5}, critical {critical:.5}"
            );
        }
    }
}

/// The process itself, before first in, first out: as many packets a second as there may be.
#[test]
fn the_distribution_does_not_depend_on_the_packet_rate() {
    use crate::model::jitter::Delays;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    let spread = Spread::Normal { deviation_ms: 5.0 };
    for (gap_ns, every) in [(10_000, 5_000), (MS, 50), (20 * MS, 3), (50 * MS, 1)] {
        let jitter = Some(Jitter { spread: spread.clone(), memory_ms: 5.0 });
        let mut delays = Delays::of(&LinkShape { jitter, ..shape(DELAY_MS) });
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        // One in `every`: ten memories apart, so independent.
        let kept = (3_000_000 / every).min(20_000);
        let mut took_ns = Vec::new();
        for packet in 0..kept * every {
            let delay_ns = delays.next(packet * gap_ns, StandardNormal.sample(&mut rng));
            if packet % every == 0 {
                took_ns.push(delay_ns);
            }
        }
        let (distance, critical) = (distance(&spread, &took_ns), 1.95 / (took_ns.len() as f64).sqrt());
        assert!(distance < critical, "each {gap_ns} ns: {distance:.4}, critical {critical:.4}");
    }
}

/// Correlation of delays `lag` packets apart.
fn correlation(took_ns: &[u64], lag: usize) -> f64 {
    let delays: Vec<f64> = took_ns.iter().map(|ns| *ns as f64).collect();
    let mean = delays.iter().sum::<f64>() / delays.len() as f64;
    let product = |pairs: &mut dyn Iterator<Item = (&f64, &f64)>| {
        pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>()
    };
    product(&mut delays.iter().zip(&delays[lag..])) / product(&mut delays.iter().zip(&delays))
}

#[test]
fn delays_are_correlated_as_configured() {
    // 20 ms apart with a deviation of 1 ms: nobody is held up. Normal jitter has the correlation of its process.
    let spread = Spread::Normal { deviation_ms: 1.0 };
    for memory_ms in [0.0, 20.0, 100.0] {
        let took_ns = took(&mut model(&spread, memory_ms), 200_000, 20 * MS);
        for lag in [1, 2, 5, 10] {
            let expected = if memory_ms > 0.0 { (-20.0 * lag as f64 / memory_ms).exp() } else { 0.0 };
            let got = correlation(&took_ns, lag);
            assert!(
                (got - expected).abs() < 0.02,
                "memory {memory_ms} ms, lag {lag}: {got}, expected {expected}"
            );
        }
    }
}

/// Packets that follow closely: with the default memory the delays stay near the configured distribution; without one
/// each packet waits for the slowest before it, and jitter becomes delay.
#[test]
fn with_a_memory_first_in_first_out_leaves_the_distribution_alone() {
    for spread in spreads() {
        let default_ms = Jitter::new(spread.clone()).memory_ms;
        let distance_with =
            |memory_ms: f64| distance(&spread, &took(&mut model(&spread, memory_ms), 500_000, MS / 20));
        let (with, without) = (distance_with(default_ms), distance_with(0.0));
        println!("{spread:?}: distance {with:.3} with a memory of {default_ms} ms, {without:.3} without");
        assert!(with < 0.15, "{spread:?}: distance {with} with a memory");
        assert!(without > 0.6, "{spread:?}: distance {without} without a memory");
    }
}

#[test]
fn a_delay_that_would_be_negative_is_none() {
    let shape = LinkShape { jitter: Some(Jitter::normal(1.0).with_memory(0.0)), ..shape(1.0) };
    let took_ns = took(&mut LinkModel::new(shape, 7), 10_000, 100 * MS);
    let none = took_ns.iter().filter(|ns| **ns == 0).count();
    // A share of 0.1587, standard deviation 37.
    assert!((1_400..=1_780).contains(&none), "{none} of 10,000 without delay");
}
