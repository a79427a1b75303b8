//! Verdicts on made-up round trips: a narrow body and a long tail, with and without dependence.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;

/// `count` round trips around `base_ms`: a body of 1 ms and one in fifty in a tail of some 10 ms.
fn rtt(count: usize, base_ms: f64, seed: u64) -> Series {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut series = Series::between("rtt", "ms", "aws", "gcp");
    for number in 0..count {
        let exponential = -(1.0 - rng.random::<f64>()).ln();
        let extra = if rng.random_bool(0.02) { 10.0 * exponential } else { exponential };
        series.push(0, crate::number::real(number) / 10.0, base_ms + extra);
    }
    series
}

fn record(series: impl IntoIterator<Item = Series>) -> Record {
    Record { series: series.into_iter().collect(), ..Record::default() }
}

fn verdict(a: Series, b: Series) -> Comparison {
    compare(&record([a]), &record([b]), &Options::default()).unwrap()
}

#[test]
fn the_same_passes_and_a_shift_fails_in_both_directions() {
    let same = verdict(rtt(3000, 50.0, 1), rtt(3000, 50.0, 2));
    assert_eq!(same.verdict, Verdict::Pass, "{same:#?}");
    for (a, b) in [(50.0, 52.5), (52.5, 50.0)] {
        let moved = verdict(rtt(3000, a, 1), rtt(3000, b, 2));
        assert_eq!(moved.verdict, Verdict::Fail, "{moved:#?}");
        assert_eq!(moved.quantities[0].quantiles[0].verdict, Some(Verdict::Fail));
    }
}

#[test]
fn the_same_input_gives_the_same_output() {
    let (a, b) = (rtt(500, 50.0, 1), rtt(500, 50.0, 2));
    assert_eq!(verdict(a.clone(), b.clone()), verdict(a, b));
}

#[test]
fn too_few_samples_say_how_many_are_needed() {
    let few = verdict(rtt(10, 50.0, 1), rtt(3000, 50.0, 2));
    assert_eq!(few.verdict, Verdict::Inconclusive);
    let needed: Vec<_> = few.quantities[0].quantiles.iter().map(|judged| judged.samples_needed).collect();
    assert_eq!(needed, [Some(20), Some(100), Some(1000)]);
    let reason = few.quantities[0].quantiles[2].reason.as_deref();
    assert_eq!(reason, Some("10 samples are too few: p99 needs 1,000"));
}

#[test]
fn an_interval_across_the_tolerance_says_how_many_would_decide() {
    let options = Options {
        tolerances: Tolerances::default().with(["p50=0.05", "p90=off", "p99=off"]).unwrap(),
        ..Options::default()
    };
    let (a, b) = (rtt(1000, 50.0, 1), rtt(1000, 50.0, 1));
    let wide = compare(&record([a]), &record([b]), &options).unwrap();
    let median = &wide.quantities[0].quantiles[0];
    assert_eq!(median.verdict, Some(Verdict::Inconclusive));
    let needed = median.samples_needed.unwrap();
    assert!((2_000..100_000).contains(&needed), "{needed}");
    // And that many do decide.
    let (a, b) = (rtt(needed, 50.0, 3), rtt(needed, 50.0, 3));
    let narrow = compare(&record([a]), &record([b]), &options).unwrap();
    assert_eq!(narrow.verdict, Verdict::Pass, "{narrow:#?}");
}

#[test]
fn a_noisy_tail_is_inconclusive_and_not_a_failure() {
    let tail = |seed| {
        let mut series = rtt(1000, 50.0, seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for sample in &mut series.samples {
            if rng.random_bool(0.012) {
                sample.value += 500.0 * rng.random::<f64>();
            }
        }
        series
    };
    for seed in 0..20 {
        let comparison = verdict(tail(seed), tail(seed + 100));
        assert_ne!(comparison.verdict, Verdict::Fail, "{comparison:#?}");
        assert_eq!(comparison.quantities[0].quantiles[0].verdict, Some(Verdict::Pass));
    }
}

#[test]
fn another_dimension_is_refused_unless_it_is_allowed() {
    let (a, mut b) = (record([rtt(3000, 50.0, 1)]), record([rtt(3000, 50.0, 2)]));
    b.dimensions.kernel = "6.2".to_owned();
    b.dimensions.when = "later".to_owned();
    let error = compare(&a, &b, &Options::default()).unwrap_err().to_string();
    assert_eq!(error, "the records differ in kernel: \"\" and \"6.2\"");
    let across = |name: &str| Options { across: [name.to_owned()].into(), ..Options::default() };
    let allowed = compare(&a, &b, &across("kernel")).unwrap();
    assert_eq!((allowed.verdict, allowed.across.len()), (Verdict::Pass, 1));
    let error = compare(&a, &b, &across("kernl")).unwrap_err().to_string();
    assert!(error.starts_with("kernl: not a dimension; expected one of backend, clouds"), "{error}");
}

#[test]
fn what_takes_the_ground_away_is_never_a_pass() {
    let good = || record([rtt(3000, 50.0, 1)]);
    let mut invalid = good();
    invalid.invalid.push("lateness p99 4 ms".to_owned());
    let mut more = good();
    more.series.push(Series { name: "commit".to_owned(), ..rtt(3000, 100.0, 3) });
    for (other, note) in [
        (invalid, "B is marked invalid: lateness p99 4 ms"),
        (more.clone(), "commit aws -> gcp is in B and not in A"),
    ] {
        let comparison = compare(&good(), &other, &Options::default()).unwrap();
        assert_eq!(comparison.verdict, Verdict::Inconclusive);
        assert_eq!(comparison.notes, [note]);
    }
    let only = Options { only: ["rtt".to_owned()].into(), ..Options::default() };
    assert_eq!(compare(&good(), &more, &only).unwrap().verdict, Verdict::Pass);
}

#[test]
fn nothing_in_common_or_other_units_are_refused() {
    let a = record([rtt(30, 50.0, 1)]);
    let error = compare(&a, &record([Series::new("commit", "ms")]), &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "the records have no quantity in common: rtt aws -> gcp and none");
    let micros = Series { unit: "us".to_owned(), ..rtt(30, 50.0, 1) };
    let error = compare(&a, &record([micros]), &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "rtt aws -> gcp is in ms in the first record and in us in the second");
}

#[test]
fn a_published_figure_is_taken_as_exact_for_the_median_alone() {
    let published = |rtt_ms: f64| {
        let mut series = Series::between("rtt", "ms", "aws", "gcp");
        series.add(rtt_ms);
        Record { published: Some("a paper".to_owned()), ..record([series]) }
    };
    for (rtt_ms, expected) in [(50.7, Verdict::Pass), (48.0, Verdict::Fail)] {
        let comparison =
            compare(&published(rtt_ms), &record([rtt(3000, 50.0, 1)]), &Options::default()).unwrap();
        assert_eq!((comparison.verdict, comparison.judged), (expected, 1), "{comparison:#?}");
    }
}

#[test]
fn a_zero_has_no_ratio() {
    let zero = || Series { samples: rtt(50, 0.0, 1).samples, ..Series::new("rtt", "ms") };
    let mut a = zero();
    a.samples.iter_mut().for_each(|sample| sample.value = 0.0);
    let comparison = verdict(a, zero());
    assert_eq!(comparison.verdict, Verdict::Inconclusive);
    assert!(comparison.quantities[0].quantiles[0].reason.as_deref().unwrap().contains("p50 of A is 0"));
}
