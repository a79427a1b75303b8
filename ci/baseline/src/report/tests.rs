//! The page holds what a reader needs and reaches for nothing outside itself.

use super::*;
use crate::compare::{Options, compare};
use crate::number::real;

fn record(shift: f64, backend: &str) -> Record {
    let mut rtt = Series::between("rtt", "ms", "aws", "gcp");
    let mut election = Series::new("election", "ms");
    for number in 0..2000_usize {
        let share = (real(number * 7919 % 2000) + 0.5) / 2000.0;
        rtt.push(0, real(number), 50.0 + shift - 2.0 * (1.0 - share).ln());
    }
    // One stall that no plot may be stretched by.
    rtt.push(0, 2000.0, 9000.0);
    (0..30_usize).for_each(|number| election.push(0, real(number), 300.0 + real(number)));
    let mut record = Record { series: vec![rtt, election], ..Record::default() };
    record.dimensions.backend = backend.to_owned();
    record.dimensions.when = "2026-01-31T12:00:00Z".to_owned();
    record
}

fn page(shift: f64) -> String {
    let (a, b) = (record(0.0, "one"), record(shift, "<script>alert(1)</script>"));
    let options = Options { across: ["backend".to_owned()].into(), ..Options::default() };
    html(&compare(&a, &b, &options).unwrap(), ("a.json", &a), ("b & c.json", &b))
}

#[test]
fn the_page_holds_verdict_tables_and_plots() {
    for (shift, word, sentence) in [
        (0.0, "pass", "B agrees with A: all 4 quantiles that were judged lie within their tolerance."),
        (
            5.0,
            "fail",
            "B differs from A: 2 of 4 quantiles are beyond the tolerance. Farthest: p50 of rtt aws → gcp is 9.",
        ),
    ] {
        let page = page(shift);
        assert!(page.contains(&format!("<header class=\"verdict {word}\">")), "{word}");
        assert!(page.contains(sentence), "{page}");
        // Two quantities with a distribution and a quantile-quantile plot each.
        assert_eq!(page.matches("<svg class=\"plot\"").count(), 4);
        assert_eq!(page.matches("class=\"curve a\"").count(), 4);
        assert_eq!(page.matches("class=\"diagonal\"").count(), 2);
        // Three matrices, dimensions of both, what was cut off the plots.
        assert_eq!(page.matches("class=\"matrix\"").count(), 3);
        assert!(page.contains("<td>2026-01-31T12:00:00Z</td>"));
        assert!(page.contains("1 of 2001 samples of A, up to 9,000 ms"));
        assert!(page.contains("rtt (ms)") && page.contains("share of samples at or below"));
    }
}

#[test]
fn the_page_needs_nothing_from_outside() {
    let page = page(5.0);
    for outside in ["http:", "https:", "//", "<script", "<link", "<img", "<iframe", "@import", "url("] {
        assert!(!page.contains(outside), "the page holds {outside:?}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)") && page.contains("b &amp; c.json"));
}

#[test]
fn every_opened_element_is_closed() {
    let page = page(0.0);
    for tag in ["table", "tr", "td", "svg", "section", "div", "figure", "text", "span", "main"] {
        let opened = page.matches(&format!("<{tag} ")).count() + page.matches(&format!("<{tag}>")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}
