//! The report of a comparison: one HTML file that needs neither network nor scripts.
//!
//! From the verdict in words downwards to every quantity's plots. Works in light and dark, from a phone to a wide
//! screen, and on paper.

mod plots;
mod svg;
mod tables;
mod words;

use crate::compare::{Comparison, Quantity};
use crate::record::{Record, Series};

use plots::Values;
use svg::escape;
use tables::{arrow, chip};

pub use words::{change, figure, tolerance, verdict};

const STYLE: &str = include_str!("style.css");

/// The whole page. `name_a` and `name_b` are what the reader knows the records by, such as their files.
pub fn html(comparison: &Comparison, (name_a, a): (&str, &Record), (name_b, b): (&str, &Record)) -> String {
    let word = comparison.verdict.name();
    let sections: String = comparison
        .quantities
        .iter()
        .enumerate()
        .map(|(number, quantity)| section(number, quantity, a, b))
        .collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{word}: {name_a} and {name_b}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header class=\"verdict {word}\"><p class=\"word\">{word}</p><p>{}</p></header>\n\
         <dl class=\"sides\"><div class=\"a\"><dt>A, the reference</dt><dd>{name_a}</dd></div>\
         <div class=\"b\"><dt>B</dt><dd>{name_b}</dd></div></dl>\n{}\
         <section><h2>Change of B against A</h2>\n{}</section>\n{}{sections}\
         <section><h2>Measured under</h2>\n{}</section>\n{METHOD}</main>\n</body>\n</html>\n",
        arrow(&verdict(comparison)),
        notes(comparison),
        tables::overview(comparison),
        tables::matrices(comparison),
        tables::dimensions(a, b),
        name_a = escape(name_a),
        name_b = escape(name_b),
    )
}

/// How to read it.
const METHOD: &str = "<section class=\"quiet\"><h2>How it was judged</h2>\n<p>Each change has a 95 % interval from a \
    block bootstrap: the records are drawn again and again from their own samples, in blocks as long as samples depend \
    on each other. A quantile passes when its interval lies inside the tolerance. It fails when an interval that is \
    wider, so that all quantiles together err in at most 5 % of comparisons, lies outside. Everything else is \
    inconclusive. The distance of Kolmogorov and Smirnov is shown and not judged: with thousands of samples it finds \
    shifts that do not matter.</p></section>\n";

fn notes(comparison: &Comparison) -> String {
    let allowed = comparison.across.iter().map(|difference| {
        format!("{} differs and was allowed to: {:?} and {:?}", difference.name, difference.a, difference.b)
    });
    let items: String = comparison
        .notes
        .iter()
        .cloned()
        .chain(allowed)
        .map(|note| format!("<li>{}</li>", arrow(&note)))
        .collect();
    if items.is_empty() { items } else { format!("<ul class=\"notes\">{items}</ul>\n") }
}

fn section(number: usize, quantity: &Quantity, a: &Record, b: &Record) -> String {
    let key = (quantity.name.as_str(), quantity.from.as_deref(), quantity.to.as_deref());
    let values = |record: &Record| record.find(key.0, key.1, key.2).map(Series::values).unwrap_or_default();
    let values = Values::new(&values(a), &values(b));
    let figures = format!(
        "{} samples in A, {} in B; drawn in blocks of {}; distance of Kolmogorov and Smirnov {:.3}. {}",
        quantity.count_a,
        quantity.count_b,
        quantity.block_length,
        quantity.ks_distance,
        values.beyond(&quantity.unit)
    );
    format!(
        "<section id=\"q{number}\"><h2>{} {}</h2>\n{}<div class=\"plots\">\n<figure><figcaption>Distribution</figcaption>{}</figure>\n\
         <figure><figcaption>Quantiles of B over A; shaded: the tolerance of p50</figcaption>{}</figure>\n</div>\n<p class=\"quiet\">{}</p></section>\n",
        arrow(&quantity.title),
        chip(Some(quantity.verdict)),
        tables::quantity(quantity),
        plots::cdf(quantity, &values),
        plots::quantiles(quantity, &values),
        escape(&figures),
    )
}

#[cfg(test)]
mod tests;
