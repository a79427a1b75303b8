//! The loop of a fit: recorded round trips, links as the configuration reads them, the link model that the lab runs,
//! round trips again. Within p50 1 %, p90 3 %, p99 5 %.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code; Clippy takes only the test functions themselves for it"
)]

use farquorum_baseline::fit::{fit, to_toml};
use farquorum_baseline::{Quantiles, Record, Series};
use farquorum_config::{BUILT_IN, Config, Sources, load_text};
use farquorum_netem::model::{LinkModel, Verdict};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Distance of the recorded round trips, and of those through the model.
const APART_MS: u32 = 50;

/// A pair of clouds: from, to, base, spread, memory of the jitter.
type Pair = (&'static str, &'static str, f64, f64, f64);

/// Near and far, calm and wild, with and without a memory that the samples show.
const PAIRS: [[Pair; 3]; 2] = [
    [("aws", "gcp", 50.0, 1.0, 0.0), ("aws", "azure", 2.0, 0.2, 0.0), ("gcp", "azure", 200.0, 10.0, 0.0)],
    [
        ("aws", "gcp", 50.0, 1.0, 200.0),
        ("aws", "azure", 80.0, 0.01, 500.0),
        ("gcp", "azure", 28.0, 5.0, 100.0),
    ],
];

/// A standard normal number, near enough.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

/// Round trips whose jitter is log-normal (a body and a long tail) and remembers.
fn recorded((from, to, base_ms, spread_ms, memory_ms): Pair) -> Series {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let kept = if memory_ms > 0.0 { (-f64::from(APART_MS) / memory_ms).exp() } else { 0.0 };
    let mut series = Series::between("rtt", "ms", from, to);
    let mut process = normal(&mut rng);
    for number in 0..6000 {
        process = kept * process + (1.0 - kept * kept).sqrt() * normal(&mut rng);
        let at_s = f64::from(number * APART_MS) / 1000.0;
        series.push(0, at_s, base_ms + spread_ms * process.exp());
    }
    series
}

/// The built-in configuration with other links.
fn config(links: &str) -> Config {
    let mut table: toml::Table = BUILT_IN.parse().unwrap();
    table.remove("links");
    let text = format!("{}\n{links}", toml::to_string(&table).unwrap());
    let loaded = load_text(&text, None, &Sources::default());
    loaded.unwrap_or_else(|errors| panic!("{errors}")).config
}

/// Round trips through both directions.
fn simulated(config: &Config, from: &str, to: &str) -> Vec<f64> {
    let model = |from: &str, to: &str, seed| {
        let link = config.links.iter().find(|link| link.from == from && link.to == to).unwrap();
        LinkModel::new(link.shape.clone(), seed)
    };
    let (mut there, mut back) = (model(from, to, 1), model(to, from, 2));
    let arrive = |link: &mut LinkModel, at_ns: u64| match link.offer(at_ns, 100) {
        Verdict::Deliver(delivery) => delivery.at_ns,
        Verdict::Drop(reason) => panic!("{reason:?} without any loss"),
    };
    let trip = |number: u32| {
        let sent_ns = u64::from(number) * u64::from(APART_MS) * 1_000_000;
        let answered_ns = arrive(&mut there, sent_ns);
        let back_ns = arrive(&mut back, answered_ns);
        std::time::Duration::from_nanos(back_ns - sent_ns).as_secs_f64() * 1000.0
    };
    (0..60_000).map(trip).collect()
}

#[test]
fn fitted_links_reproduce_what_they_were_fitted_to() {
    for pairs in PAIRS {
        let record = Record { series: pairs.map(recorded).into(), ..Record::default() };
        let config = config(&to_toml(&fit(&record).unwrap(), &record.dimensions));
        for (series, (from, to, ..)) in record.series.iter().zip(pairs) {
            let wanted = series.quantiles().unwrap();
            // The probes of both ends see the same loop.
            for (from, to) in [(from, to), (to, from)] {
                let found = Quantiles::of(&simulated(&config, from, to)).unwrap();
                for (name, wanted, found, within) in [
                    ("p50", wanted.p50, found.p50, 0.01),
                    ("p90", wanted.p90, found.p90, 0.03),
                    ("p99", wanted.p99, found.p99, 0.05),
                ] {
                    let off = (found / wanted - 1.0).abs();
                    assert!(off <= within, "{from} -> {to}: {name} is {found:.3} ms for {wanted:.3} ms");
                }
            }
        }
    }
}
