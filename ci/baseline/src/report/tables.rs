//! The tables of the report.

use std::collections::BTreeSet;

use super::svg::escape;
use super::words::{change, figure, tolerance};
use crate::compare::{Comparison, Judged, Quantity, Verdict};
use crate::number::{grouped, real};
use crate::record::Record;

/// From p50 and p99 of a pair of clouds to a cell of a matrix.
type Cell<'a> = &'a dyn Fn(&Judged, &Judged) -> String;

/// A coloured word.
pub(super) fn chip(verdict: Option<Verdict>) -> String {
    let (class, word) = verdict.map_or(("none", "not judged"), |verdict| (verdict.name(), verdict.name()));
    format!(r#"<span class="chip {class}">{word}</span>"#)
}

/// A title with a real arrow.
pub(super) fn arrow(title: &str) -> String {
    escape(title).replace("-&gt;", "→")
}

/// A change with a real minus.
fn minus(text: String) -> String {
    text.replace('-', "−")
}

/// Every quantity in a line.
pub(super) fn overview(comparison: &Comparison) -> String {
    let cell = |judged: &Judged| {
        let class = judged.verdict.map_or("none", Verdict::name);
        format!(r#"<td class="num {class}">{}</td>"#, minus(change(judged.ratio)))
    };
    let row = |(number, quantity): (usize, &Quantity)| {
        let cells: String = quantity.quantiles.iter().map(cell).collect();
        format!(
            "<tr><th scope=\"row\"><a href=\"#q{number}\">{}</a></th>{cells}<td>{}</td></tr>\n",
            arrow(&quantity.title),
            chip(Some(quantity.verdict))
        )
    };
    let rows: String = comparison.quantities.iter().enumerate().map(row).collect();
    format!(
        "<div class=\"scroll\"><table class=\"overview\"><thead><tr><th>quantity</th><th class=\"num\">p50</th>\
         <th class=\"num\">p90</th><th class=\"num\">p99</th><th>verdict</th></tr></thead>\
         <tbody>\n{rows}</tbody></table></div>\n"
    )
}

/// p50, p90, p99 of one quantity.
pub(super) fn quantity(quantity: &Quantity) -> String {
    let unit = escape(&quantity.unit);
    let row = |judged: &Judged| {
        let interval = match (judged.low, judged.high) {
            (Some(_), Some(_)) => format!("{} to {}", change(judged.low), change(judged.high)),
            _ => "-".to_owned(),
        };
        let reason = judged.reason.as_deref().map_or_else(String::new, |reason| {
            format!(
                "<tr class=\"reason\"><td colspan=\"8\">{}: {}</td></tr>\n",
                judged.quantile.name(),
                escape(reason)
            )
        });
        format!(
            "<tr><th scope=\"row\">{}</th><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td>\
             <td class=\"num\">{}</td><td class=\"num\">{}</td><td>{}</td><td>{}</td></tr>\n{reason}",
            judged.quantile.name(),
            figure(judged.a),
            figure(judged.b),
            minus(change(judged.ratio)),
            minus(interval),
            tolerance(judged).replace('-', "–"),
            gauge(judged),
            chip(judged.verdict),
        )
    };
    let rows: String = quantity.quantiles.iter().map(row).collect();
    format!(
        "<div class=\"scroll\"><table><thead><tr><th></th><th class=\"num\">A ({unit})</th>\
         <th class=\"num\">B ({unit})</th><th class=\"num\">change</th><th class=\"num\">95 % interval</th>\
         <th class=\"num\">tolerance</th><th>interval in the tolerance</th><th>verdict</th></tr></thead>\
         <tbody>\n{rows}</tbody></table></div>\n"
    )
}

/// The interval over the tolerance: a shaded band from -tolerance to +tolerance, 0 in the middle, a bar and a dot.
fn gauge(judged: &Judged) -> String {
    let (Some(low), Some(high), Some(ratio), Some(tolerance)) =
        (judged.low, judged.high, judged.ratio, judged.tolerance)
    else {
        return String::new();
    };
    let farthest = [low, high].map(|end| (end - 1.0).abs()).into_iter().fold(0.0, f64::max);
    let reach = (farthest * 1.1).max(tolerance * 1.5);
    let x = |ratio: f64| 80.0 + 76.0 * (ratio - 1.0) / reach;
    let (band, bar) = ((x(1.0 - tolerance), x(1.0 + tolerance)), (x(low), x(high)));
    let class = judged.verdict.map_or("none", Verdict::name);
    format!(
        "<svg class=\"gauge {class}\" viewBox=\"0 0 160 20\" aria-hidden=\"true\">\
         <rect class=\"band\" x=\"{:.1}\" y=\"2\" width=\"{:.1}\" height=\"16\" rx=\"2\"/>\
         <line class=\"zero\" x1=\"80\" y1=\"2\" x2=\"80\" y2=\"18\"/>\
         <line class=\"bar\" x1=\"{:.1}\" y1=\"10\" x2=\"{:.1}\" y2=\"10\"/>\
         <circle class=\"bar\" cx=\"{:.1}\" cy=\"10\" r=\"3.4\"/></svg>",
        band.0,
        band.1 - band.0,
        bar.0,
        bar.1,
        x(ratio),
    )
}

/// Round trips by pair of clouds: A, B and the change; empty without any.
pub(super) fn matrices(comparison: &Comparison) -> String {
    let rtts: Vec<&Quantity> = comparison
        .quantities
        .iter()
        .filter(|quantity| quantity.name == "rtt" && quantity.to.is_some())
        .collect();
    if rtts.is_empty() {
        return String::new();
    }
    let unit = rtts.first().map(|quantity| escape(&quantity.unit)).unwrap_or_default();
    let largest = rtts.iter().filter_map(|quantity| quantity.quantiles.first());
    let largest = largest.map(|judged| judged.a.max(judged.b)).fold(0.0, f64::max);
    let shaded = |value: f64, tail: f64| {
        let depth = if largest > 0.0 { value / largest * 45.0 } else { 0.0 };
        format!(
            "<td class=\"num heat\" style=\"--depth:{depth:.0}%\">{}<small>{}</small></td>",
            figure(value),
            figure(tail)
        )
    };
    let sides: [(&str, Cell<'_>); 3] = [
        ("A: p50, p99 below", &|p50, p99| shaded(p50.a, p99.a)),
        ("B: p50, p99 below", &|p50, p99| shaded(p50.b, p99.b)),
        ("B against A", &|p50, p99| {
            let class = p50.verdict.map_or("none", Verdict::name);
            let (p50, p99) = (minus(change(p50.ratio)), minus(change(p99.ratio)));
            format!("<td class=\"num {class}\">{p50}<small>{p99}</small></td>")
        }),
    ];
    let tables: String = sides.into_iter().map(|(title, cell)| matrix(title, &rtts, cell)).collect();
    format!(
        "<section><h2>Round trips by pair of clouds ({unit})</h2><p class=\"quiet\">From the cloud on the left, which \
         measured, to the cloud above.</p><div class=\"matrices\">{tables}</div></section>\n"
    )
}

fn matrix(title: &str, rtts: &[&Quantity], cell: Cell<'_>) -> String {
    let ends = rtts.iter().flat_map(|quantity| [quantity.from.as_deref(), quantity.to.as_deref()]);
    let mut clouds: Vec<&str> = Vec::new();
    for cloud in ends.flatten() {
        if !clouds.contains(&cloud) {
            clouds.push(cloud);
        }
    }
    let head: String = clouds.iter().map(|to| format!("<th class=\"num\">{}</th>", escape(to))).collect();
    let row = |from: &&str| {
        let one = |to: &&str| {
            let found = rtts.iter().find(|quantity| {
                (quantity.from.as_deref(), quantity.to.as_deref()) == (Some(*from), Some(*to))
            });
            match found.map(|quantity| quantity.quantiles.as_slice()) {
                Some([p50, _, p99]) => cell(p50, p99),
                _ => "<td class=\"num quiet\">·</td>".to_owned(),
            }
        };
        format!(
            "<tr><th scope=\"row\">{}</th>{}</tr>",
            escape(from),
            clouds.iter().map(one).collect::<String>()
        )
    };
    let rows: String = clouds.iter().map(row).collect();
    format!(
        "<div class=\"scroll\"><table class=\"matrix\"><caption>{title}</caption><thead><tr><th></th>{head}</tr>\
         </thead><tbody>{rows}</tbody></table></div>\n"
    )
}

/// Dimensions of both records; what differs is marked.
pub(super) fn dimensions(a: &Record, b: &Record) -> String {
    let all = |record: &Record| {
        let mut all = record.dimensions.compared();
        all.insert("when".to_owned(), record.dimensions.when.clone());
        all.insert("version".to_owned(), record.dimensions.version.clone());
        all.insert("samples".to_owned(), {
            let counts: Vec<usize> = record.series.iter().map(|series| series.samples.len()).collect();
            format!("{} in {} series", grouped(real(counts.iter().sum())), counts.len())
        });
        all
    };
    let (one, other) = (all(a), all(b));
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let row = |name: &&String| {
        let value = |side: &std::collections::BTreeMap<String, String>| {
            let value = side.get(*name).map_or("", String::as_str);
            if value.is_empty() { "<span class=\"quiet\">none</span>".to_owned() } else { escape(value) }
        };
        let class = if one.get(*name) == other.get(*name) { "" } else { " class=\"differs\"" };
        format!(
            "<tr{class}><th scope=\"row\">{}</th><td>{}</td><td>{}</td></tr>\n",
            escape(name),
            value(&one),
            value(&other)
        )
    };
    let rows: String = names.iter().map(row).collect();
    format!(
        "<div class=\"scroll\"><table class=\"dimensions\"><thead><tr><th></th><th>A</th><th>B</th></tr></thead>\
         <tbody>\n{rows}</tbody></table></div>\n"
    )
}
