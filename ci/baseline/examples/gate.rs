//! Error rates of the gate: how often `compare` fails the same network, and how often it misses a shift of p50.
//!
//! `cargo run -p farquorum-baseline --example gate -- RECORD.json [ROUNDS [SAMPLES [TOLERANCE,...]]]`
//!
//! Draws both sides of each comparison from the recorded round trips, in blocks of 64 so that dependence stays: ROUNDS
//! times (200) unchanged, ROUNDS times with p50 of one directed pair shifted by 5 %, all others unchanged, which is the
//! hardest shift to see. SAMPLES a pair (3,000); TOLERANCE as `farquorum compare` takes it. The rates are those of the
//! whole verdict, each with its 95 % confidence interval (Wilson); which quantiles left a comparison inconclusive is
//! counted beside it. Ends with 1 when a rate is beyond its bound: 1 % false failures, 5 % missed shifts.

use std::path::Path;
use std::process::ExitCode;

use farquorum_baseline::compare::{Comparison, Options, Percentile, Tolerances, Verdict, compare};
use farquorum_baseline::{Record, Series};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Samples that are drawn together.
const BLOCK: usize = 64;

/// The shift of p50 that must be found.
const SHIFT: f64 = 0.05;

/// Bounds on the rates: false failures, missed shifts.
const BOUNDS: (f64, f64) = (0.01, 0.05);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(within) => ExitCode::from(u8::from(!within)),
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &[String]) -> Result<bool, String> {
    let number = |place: usize, default: usize| match args.get(place) {
        Some(text) => text.parse().map_err(|_| format!("{text:?}: expected a whole number")),
        None => Ok(default),
    };
    let path = args.first().ok_or("expected RECORD.json [ROUNDS [SAMPLES [TOLERANCE,...]]]")?;
    let (rounds, samples) = (number(1, 200)?, number(2, 3_000)?);
    let rules = args.get(3).map(String::as_str).unwrap_or_default();
    let rules = rules.split(',').filter(|rule| !rule.is_empty());
    let tolerances = Tolerances::default().with(rules).map_err(|error| error.to_string())?;
    let record = Record::load(Path::new(path)).map_err(|error| error.to_string())?;
    let is_rtt = |series: &&Series| series.name == "rtt" && series.samples.len() >= samples / 2;
    let source: Vec<Series> = record.series.iter().filter(is_rtt).cloned().collect();
    let first =
        source.first().ok_or("the record has no series rtt with half as many samples as are drawn")?;
    println!(
        "{} directed pairs, {samples} samples each, drawn from {} and more; {rounds} comparisons each",
        source.len(),
        first.samples.len()
    );
    let counted = |shift| rates(&source, samples, rounds, shift, &tolerances);
    let (same, moved) = std::thread::scope(|scope| {
        let same = scope.spawn(|| counted(0.0));
        let moved = counted(SHIFT);
        let panicked = |_| Err("the comparisons of identical recordings panicked".to_owned());
        (same.join().unwrap_or_else(panicked), moved)
    });
    let (same, moved) = (same?, moved?);
    println!("                      pass  inconclusive  fail   inconclusive at p50  p90  p99");
    for (name, counts) in [("identical", &same), ("p50 shifted by 5 %", &moved)] {
        let Counts { pass, inconclusive, fail, at: [p50, p90, p99] } = counts;
        println!("{name:<18} {pass:>7} {inconclusive:>13} {fail:>5} {p50:>21} {p90:>4} {p99:>4}");
    }
    println!("false failures: {}; bound {} %", share(same.fail, rounds), BOUNDS.0 * 100.0);
    println!(
        "missed shifts (no failure): {}; bound {} %",
        share(rounds - moved.fail, rounds),
        BOUNDS.1 * 100.0
    );
    let within = |count: usize, bound: f64| real(count) <= bound * real(rounds);
    Ok(within(same.fail, BOUNDS.0) && within(rounds - moved.fail, BOUNDS.1))
}

#[derive(Clone, Copy, Default)]
struct Counts {
    pass: usize,
    inconclusive: usize,
    fail: usize,
    /// Of the inconclusive ones, those with such a p50, p90, p99; one may have several.
    at: [usize; 3],
}

fn rates(
    source: &[Series],
    samples: usize,
    rounds: usize,
    shift: f64,
    tolerances: &Tolerances,
) -> Result<Counts, String> {
    let mut counts = Counts::default();
    for round in 0..rounds {
        let seed = u64::try_from(round).unwrap_or_default();
        let a = drawn(source, samples, seed * 2);
        let mut b = drawn(source, samples, seed * 2 + 1);
        shift_first(&mut b, source, shift);
        let options = Options { seed, tolerances: tolerances.clone(), ..Options::default() };
        let comparison = compare(&a, &b, &options).map_err(|error| error.to_string())?;
        match comparison.verdict {
            Verdict::Pass => counts.pass += 1,
            Verdict::Inconclusive => {
                counts.inconclusive += 1;
                for (count, percentile) in counts.at.iter_mut().zip(Percentile::ALL) {
                    *count += usize::from(undecided(&comparison, percentile));
                }
            }
            Verdict::Fail => counts.fail += 1,
        }
    }
    Ok(counts)
}

/// Whether this quantile of any series could not be judged.
fn undecided(comparison: &Comparison, percentile: Percentile) -> bool {
    comparison
        .quantities
        .iter()
        .flat_map(|quantity| &quantity.quantiles)
        .any(|judged| judged.quantile == percentile && judged.verdict == Some(Verdict::Inconclusive))
}

/// A record whose series are drawn from these.
fn drawn(source: &[Series], samples: usize, seed: u64) -> Record {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x6761_7465);
    let draw = |from: &Series| {
        let mut series = Series { samples: Vec::new(), ..from.clone() };
        while series.samples.len() < samples {
            let start = rng.random_range(0..from.samples.len());
            let around = from.samples.iter().chain(&from.samples).skip(start);
            series.samples.extend(around.take(BLOCK.min(samples - series.samples.len())));
        }
        series
    };
    Record { series: source.iter().map(draw).collect(), ..Record::default() }
}

/// Adds the share of its median to the first series: a link that became longer.
fn shift_first(record: &mut Record, source: &[Series], shift: f64) {
    let median = source.first().and_then(Series::quantiles).map_or(0.0, |quantiles| quantiles.p50);
    for sample in record.series.first_mut().map(|series| &mut series.samples).into_iter().flatten() {
        sample.value += median * shift;
    }
}

/// `2 of 200, 1 % (0.3 % to 3.6 %)`.
fn share(count: usize, of: usize) -> String {
    let (k, n, z) = (real(count), real(of), 1.96_f64);
    let middle = (k + z * z / 2.0) / (n + z * z);
    let half = z / (n + z * z) * (k * (n - k) / n + z * z / 4.0).sqrt();
    let percent = |share: f64| (share * 1000.0).round() / 10.0;
    let (low, high) = (percent((middle - half).max(0.0)), percent(middle + half));
    format!("{count} of {of}, {} % (95 % confidence: {low} % to {high} %)", percent(k / n))
}

fn real(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}
