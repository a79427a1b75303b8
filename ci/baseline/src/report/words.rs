//! A comparison in words and figures as people read them.

use crate::compare::{Comparison, Judged, Quantity, Verdict};
use crate::number::grouped;

/// The verdict in a sentence or two.
pub fn verdict(comparison: &Comparison) -> String {
    let all = comparison.judged;
    let with = |verdict| {
        let of = |quantity| judged(quantity, verdict);
        comparison.quantities.iter().flat_map(of).collect::<Vec<_>>()
    };
    match comparison.verdict {
        Verdict::Pass => match all {
            0 => "Nothing was judged: every tolerance is off.".to_owned(),
            1 => "B agrees with A: the one quantile that was judged lies within its tolerance.".to_owned(),
            _ => format!("B agrees with A: all {all} quantiles that were judged lie within their tolerance."),
        },
        Verdict::Fail => {
            let mut beyond = with(Verdict::Fail);
            beyond.sort_by(|(_, a), (_, b)| excess(b).total_cmp(&excess(a)));
            let worst = beyond.first().map(|(quantity, judged)| moved(quantity, judged)).unwrap_or_default();
            let (count, are) = (beyond.len(), if beyond.len() == 1 { "is" } else { "are" });
            format!(
                "B differs from A: {count} of {all} quantiles {are} beyond the tolerance. Farthest: {worst}."
            )
        }
        Verdict::Inconclusive => {
            let open = with(Verdict::Inconclusive);
            let beyond = with(Verdict::Fail).len();
            match open.first() {
                Some((quantity, judged)) if beyond == 0 => format!(
                    "The samples cannot tell: {} of {all} quantiles are undecided, none is beyond its tolerance. \
                     First: {} of {}: {}.",
                    open.len(),
                    judged.quantile.name(),
                    quantity.title,
                    judged.reason.as_deref().unwrap_or("undecided"),
                ),
                _ => format!("No verdict can be given: {}.", comparison.notes.join("; ")),
            }
        }
    }
}

fn judged(quantity: &Quantity, verdict: Verdict) -> impl Iterator<Item = (&Quantity, &Judged)> {
    let matching = quantity.quantiles.iter().filter(move |judged| judged.verdict == Some(verdict));
    matching.map(move |judged| (quantity, judged))
}

/// By how many tolerances a ratio is off.
fn excess(judged: &Judged) -> f64 {
    (judged.ratio.unwrap_or(1.0) - 1.0).abs() / judged.tolerance.unwrap_or(1.0)
}

fn moved(quantity: &Quantity, judged: &Judged) -> String {
    let off = judged.ratio.unwrap_or(1.0) - 1.0;
    format!(
        "{} of {} is {:.1} % {} in B (95 % interval {} to {}, tolerance {})",
        judged.quantile.name(),
        quantity.title,
        off.abs() * 100.0,
        if off < 0.0 { "lower" } else { "higher" },
        change(judged.low),
        change(judged.high),
        tolerance(judged),
    )
}

/// A ratio as a change: `+5.1 %`.
pub fn change(ratio: Option<f64>) -> String {
    let Some(ratio) = ratio else { return "-".to_owned() };
    let percent = (ratio - 1.0) * 100.0;
    let digits = usize::from(percent.abs() < 100.0);
    let text = format!("{percent:+.digits$} %");
    if text.starts_with("-0.0 ") { "+0.0 %".to_owned() } else { text }
}

/// A tolerance: `2.5 %`; `-` when the quantile is not judged.
pub fn tolerance(judged: &Judged) -> String {
    judged.tolerance.map_or_else(|| "-".to_owned(), |share| format!("{} %", (share * 1000.0).round() / 10.0))
}

/// A figure with as many digits as people can use: four or so.
pub fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => grouped(value),
        size if size >= 100.0 => format!("{value:.1}"),
        size if size >= 1.0 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_the_digits_that_matter() {
        for (value, text) in [
            (0.0, "0.00"),
            (0.1234, "0.123"),
            (50.126, "50.13"),
            (223.74, "223.7"),
            (1_234_567.8, "1,234,568"),
        ] {
            assert_eq!(figure(value), text);
        }
        for (ratio, text) in [(1.051, "+5.1 %"), (0.9, "-10.0 %"), (0.99999, "+0.0 %"), (12.0, "+1100 %")] {
            assert_eq!(change(Some(ratio)), text);
        }
    }
}
