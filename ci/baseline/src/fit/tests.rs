//! What a fit finds in made-up round trips, and what it refuses. `tests/fitted_links.rs` runs the link model with it.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;

/// A standard normal number, near enough.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

/// Round trips 50 ms apart whose logarithm remembers `memory_ms`: a body of `spread` and a long tail.
fn recorded(base_ms: f64, spread_ms: f64, memory_ms: f64, count: usize, seed: u64) -> Series {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let kept = if memory_ms > 0.0 { (-50.0 / memory_ms).exp() } else { 0.0 };
    let mut series = Series::between("rtt", "ms", "aws", "gcp");
    let mut process = normal(&mut rng);
    for number in 0..count {
        process = kept * process + (1.0 - kept * kept).sqrt() * normal(&mut rng);
        series.push(0, real(number) * 0.05, base_ms + spread_ms * process.exp());
    }
    series
}

fn record(series: impl IntoIterator<Item = Series>) -> Record {
    Record { series: series.into_iter().collect(), ..Record::default() }
}

#[test]
fn the_jitter_is_on_one_way_above_half_of_p1_each_way() {
    let series = recorded(50.0, 1.0, 0.0, 3000, 1);
    let quantiles = series.quantiles().unwrap();
    let pair = &fit(&record([series])).unwrap()[0];
    assert!((pair.delay_ms * 2.0 - quantiles.p1).abs() < 0.002);
    let table = &pair.jitter_quantiles_ms;
    assert_eq!((table.len(), table[10]), (1001, 0.0));
    assert!(table.is_sorted() && table[0] == 0.0);
    assert!((table[990] + quantiles.p1 - quantiles.p99).abs() < 0.002);
    assert!((table[1000] + quantiles.p1 - quantiles.max).abs() < 0.002);
}

#[test]
fn a_memory_is_found_where_samples_show_it() {
    for memory_ms in [50.0, 200.0, 1000.0] {
        let pair = &fit(&record([recorded(50.0, 1.0, memory_ms, 20_000, 3)])).unwrap()[0];
        let off = pair.jitter_memory_ms / memory_ms;
        assert!(pair.memory_seen && (0.75..1.33).contains(&off), "{memory_ms}: {}", pair.jitter_memory_ms);
    }
    let none = &fit(&record([recorded(50.0, 1.0, 0.0, 20_000, 3)])).unwrap()[0];
    assert!(!none.memory_seen && none.jitter_memory_ms <= 12.5, "{}", none.jitter_memory_ms);
}

#[test]
fn both_directions_make_one_pair_and_loss_is_split() {
    let there = Series { lost: Some(60), ..recorded(50.0, 1.0, 0.0, 1470, 1) };
    let back = Series { lost: Some(0), ..recorded(50.0, 1.0, 0.0, 1470, 2) };
    let back = Series { from: there.to.clone(), to: there.from.clone(), ..back };
    let local = Series { to: Some("aws".to_owned()), ..recorded(1.0, 0.1, 0.0, 10, 1) };
    let pairs = fit(&record([there, back, local])).unwrap();
    assert_eq!((pairs.len(), pairs[0].count), (1, 2940));
    // 2 % of round trips are lost, 1 % on each way.
    assert!((pairs[0].loss - 0.01005).abs() < 1e-5, "{}", pairs[0].loss);
}

#[test]
fn what_cannot_be_fitted_says_why() {
    let few = recorded(50.0, 1.0, 0.0, 10, 1);
    let mut invalid = record([few.clone()]);
    invalid.invalid.push("lateness p99 4 ms".to_owned());
    let long = recorded(90_000.0, 1.0, 0.0, 1000, 1);
    let micros = Series { unit: "us".to_owned(), ..few.clone() };
    for (record, message) in [
        (record([]), "the record has no series rtt between two clouds; it has none"),
        (record([Series::new("commit", "ms")]), "no series rtt between two clouds; it has commit"),
        (record([few]), "rtt aws -> gcp: 10 samples are too few; a fit of p99 needs 1000"),
        (record([micros]), "rtt aws -> gcp is in us; expected ms"),
        (record([long]), "ms; a link delays by at most 60000 ms"),
        (invalid, "the record is marked invalid: lateness p99 4 ms"),
    ] {
        let error = fit(&record).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn the_fragment_names_both_ways_and_stays_within_its_lines() {
    let series = Series { lost: Some(10), ..recorded(50.0, 1.0, 0.0, 3000, 1) };
    let text = to_toml(&fit(&record([series])).unwrap(), &Record::default().dimensions);
    assert_eq!(text.matches("[[links]]\n").count(), 2);
    assert_eq!(text.matches("jitter_quantiles_ms").count(), 1);
    assert_eq!(text.matches("loss = 0.001").count(), 2, "{text}");
    assert!(text.lines().all(|line| line.len() <= 110));
}
