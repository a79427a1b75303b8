//! The two plots of a quantity: distribution functions over each other, and quantiles against quantiles.
//!
//! Round trips have a narrow body and a long tail. The share of samples is therefore drawn on a normal scale, which
//! gives 99 % to 99.9 % as much room as 90 % to 99 %, and values end at p1 + 3 (p99 - p1): one stall of a second would
//! make a line of the rest. A caption says what lies beyond.

use super::svg::{Axis, Plot};
use super::words::figure;
use crate::compare::{Percentile, Quantity, sorted};
use crate::number::{ceil, normal_quantile, rank, real};

/// Both series of a quantity, ascending.
pub(super) struct Values {
    a: Vec<f64>,
    b: Vec<f64>,
}

/// Most points of a curve: more than a screen has columns for it.
const POINTS: usize = 240;

/// Labelled shares of samples.
const SHARES: [(f64, &str); 7] = [
    (0.001, "0.1 %"),
    (0.01, "1 %"),
    (0.1, "10 %"),
    (0.5, "50 %"),
    (0.9, "90 %"),
    (0.99, "99 %"),
    (0.999, "99.9 %"),
];

impl Values {
    /// Of both records, in order of time; neither empty.
    pub(super) fn new(a: &[f64], b: &[f64]) -> Self {
        Self { a: sorted(a), b: sorted(b) }
    }

    /// From the smallest to where the tail is cut.
    fn range(&self) -> (f64, f64) {
        let from = |sorted: &[f64]| sorted.first().copied().unwrap_or_default();
        let to = |sorted: &[f64]| {
            let (p1, p99) = (at(sorted, 0.01), at(sorted, 0.99));
            (p1 + 3.0 * (p99 - p1)).min(at(sorted, 1.0))
        };
        (from(&self.a).min(from(&self.b)), to(&self.a).max(to(&self.b)))
    }

    /// What lies beyond the plots, in words; empty when nothing does.
    pub(super) fn beyond(&self, unit: &str) -> String {
        let (_, to) = self.range();
        let side = |name: &str, sorted: &[f64]| {
            let count = sorted.len() - sorted.partition_point(|value| *value <= to);
            let max = figure(at(sorted, 1.0));
            (count > 0).then(|| format!("{count} of {} samples of {name}, up to {max} {unit}", sorted.len()))
        };
        let sides: Vec<String> = [side("A", &self.a), side("B", &self.b)].into_iter().flatten().collect();
        if sides.is_empty() { String::new() } else { format!("Beyond the plots: {}.", sides.join("; ")) }
    }
}

/// Value at a share of ascending values.
fn at(sorted: &[f64], share: f64) -> f64 {
    let place = ceil(real(sorted.len()) * share).max(1) - 1;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// Both distribution functions.
pub(super) fn cdf(quantity: &Quantity, values: &Values) -> String {
    let (from, to) = values.range();
    let x = Axis::linear(format!("{} ({})", quantity.name, quantity.unit), from, to, 6);
    let most = values.a.len().max(values.b.len());
    // As far as the larger series reaches: 30 samples know nothing of 99.9 %.
    let reach = normal_quantile((1.0 - 0.7 / real(most)).clamp(0.91, 0.9995));
    let ticks = SHARES.map(|(share, text)| (normal_quantile(share), text.to_owned()));
    let ticks = ticks.into_iter().filter(|(place, _)| place.abs() <= reach).collect();
    let y = Axis { title: "share of samples at or below".to_owned(), from: -reach, to: reach, ticks };
    let mut plot = Plot::new(&format!("Distribution of {} in A and B", quantity.title), x, y);
    for (class, sorted) in [("a", &values.a), ("b", &values.b)] {
        plot.curve(&format!("curve {class}"), &steps(sorted, reach, to));
    }
    plot.legend(&[("curve a", "A"), ("curve b", "B")]);
    plot.finish()
}

/// A distribution function on the normal scale within the frame.
fn steps(sorted: &[f64], reach: f64, to: f64) -> Vec<(f64, f64)> {
    let n = real(sorted.len());
    let point = |(place, value): (usize, &f64)| (*value, normal_quantile((real(place) + 0.5) / n));
    let inside: Vec<(f64, f64)> =
        sorted.iter().enumerate().map(point).filter(|(_, y)| y.abs() <= reach).collect();
    let inside: Vec<(f64, f64)> = inside.into_iter().take_while(|(value, _)| *value <= to).collect();
    thinned(inside)
}

/// Evenly on the vertical axis, so that the few points of a tail stay.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let (Some(first), Some(last)) = (points.first().copied(), points.last().copied()) else { return points };
    let step = (last.1 - first.1) / real(POINTS);
    let mut kept = vec![first];
    for point in points {
        if kept.last().is_some_and(|kept| point.1 - kept.1 >= step) {
            kept.push(point);
        }
    }
    kept.push(last);
    kept
}

/// Quantiles of B over those of A: on the diagonal where both are alike.
pub(super) fn quantiles(quantity: &Quantity, values: &Values) -> String {
    let (from, to) = values.range();
    let axis = |name: &str, count| {
        Axis::linear(format!("{name}: {} ({})", quantity.name, quantity.unit), from, to, count)
    };
    let (x, y) = (axis("A", 6), axis("B", 6));
    let ends = (x.from, x.to);
    let mut plot = Plot::new(&format!("Quantiles of {} in B over those in A", quantity.title), x, y);
    let tolerance = quantity.quantiles.iter().find_map(|judged| judged.tolerance);
    if let Some(tolerance) = tolerance {
        plot.area("band", &band(ends, tolerance));
    }
    plot.curve("diagonal", &[(ends.0, ends.0), (ends.1, ends.1)]);
    let fewest = values.a.len().min(values.b.len());
    let reach = normal_quantile(1.0 - 0.7 / real(fewest.max(2)));
    for number in 0..=60_usize {
        let share = share_at(reach * (real(number) / 30.0 - 1.0));
        plot.dot("point", (at(&values.a, share), at(&values.b, share)), 2.6);
    }
    let known = Percentile::ALL.into_iter().filter(|percentile| fewest >= percentile.samples_min());
    let place = |percentile: Percentile| {
        let value = |sorted: &[f64]| {
            sorted.get(rank(sorted.len(), percentile.percent())).copied().unwrap_or_default()
        };
        ((value(&values.a), value(&values.b)), percentile.name())
    };
    let marks: Vec<((f64, f64), &str)> = known.map(place).collect();
    for (place, _) in &marks {
        plot.dot("quantile", *place, 5.0);
    }
    plot.labels(&marks);
    plot.finish()
}

/// Where B is within the tolerance of A, cut to the frame.
fn band((from, to): (f64, f64), tolerance: f64) -> Vec<(f64, f64)> {
    let steps = 24_usize;
    let along = |factor: f64| {
        let place = move |step: usize| from + (to - from) * real(step) / real(steps);
        (0..=steps).map(move |step| (place(step), (place(step) * factor).clamp(from, to)))
    };
    let upper: Vec<(f64, f64)> = along(1.0 + tolerance).collect();
    let lower: Vec<(f64, f64)> = along(1.0 - tolerance).collect();
    upper.into_iter().chain(lower.into_iter().rev()).collect()
}

/// Share of a normal distribution below a value; the inverse of [`normal_quantile`] by bisection.
fn share_at(normal: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if normal_quantile(middle) < normal { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}
