//! Links: every ordered pair of different clouds has exactly one shape, so that no packet ever crosses unshaped.

use std::collections::BTreeMap;

use super::known_cloud;
use crate::finding::Report;
use crate::raw::{Raw, RawLink};
use crate::shape::{LinkShape, ShapeKeys, broken};
use crate::text::quoted;
use crate::types::Link;

/// Shapes by directed pair, with the index of the link that gave each.
type Shapes = BTreeMap<(String, String), (LinkShape, usize)>;

/// All directed links, ordered by pair.
pub(super) fn links(raw: &Raw, report: &mut Report) -> Vec<Link> {
    let mut shapes = Shapes::new();
    for (index, link) in raw.links.iter().enumerate() {
        let path = format!("links[{index}]");
        for (from, to) in directions(raw, link, &path, report) {
            let shape = shape(link, &path, report);
            add(&mut shapes, (from, to), shape, index, report);
        }
    }
    // A link with a mistake may well be the missing one.
    if !report.has_error("links") && !report.has_error("clouds") {
        report_missing(raw, &shapes, report);
    }
    shapes.into_iter().map(|((from, to), (shape, _))| Link { from, to, shape }).collect()
}

/// The link between two hosts of one cloud.
pub(super) fn local_link(raw: &Raw, report: &mut Report) -> LinkShape {
    checked(&raw.local_link.shape_keys(), "local_link", report)
}

/// The directed pairs that a link shapes; none when it does not say.
fn directions(raw: &Raw, link: &RawLink, path: &str, report: &mut Report) -> Vec<(String, String)> {
    if report.has_error(&format!("{path}.between")) || report.has_error(path) && link.between.is_none() {
        return Vec::new();
    }
    let one_way = link.from.is_some() || link.to.is_some();
    match (&link.between, &link.from, &link.to) {
        (Some(_), ..) if one_way => {
            report.error(path, None, "has both `between` and `from`/`to`; it takes one of them");
            Vec::new()
        }
        (Some(labels), ..) => both_ways(raw, link, labels, path, report),
        (None, Some(from), Some(to)) => single(raw, link, (from, to), path, report),
        _ => {
            report.error(
                path,
                None,
                "does not say what it joins; write between = [A, B], or from = A and to = B",
            );
            Vec::new()
        }
    }
}

fn both_ways(
    raw: &Raw,
    link: &RawLink,
    labels: &[String],
    path: &str,
    report: &mut Report,
) -> Vec<(String, String)> {
    let key = format!("{path}.between");
    // Any other number of labels was refused before.
    let [a, b] = labels else { return Vec::new() };
    if let Some(delay_ms) = link.delay_ms {
        let message = "is one way; with `between` write rtt_ms, or shape each direction with `from` and `to`";
        report.error(&format!("{path}.delay_ms"), Some(delay_ms.to_string()), message);
    } else if link.rtt_ms.is_none() && !report.has_error(&format!("{path}.rtt_ms")) {
        report.error(&format!("{path}.rtt_ms"), None, "missing; a link with `between` needs it");
    }
    let known = [a, b].map(|label| known_cloud(raw, Some(label), &key, report));
    if a == b {
        report.error(
            &key,
            Some(format!("[{0}, {0}]", quoted(a))),
            "joins a cloud to itself; use [local_link]",
        );
        return Vec::new();
    }
    if known != [true, true] {
        return Vec::new();
    }
    vec![(a.clone(), b.clone()), (b.clone(), a.clone())]
}

fn single(
    raw: &Raw,
    link: &RawLink,
    (from, to): (&String, &String),
    path: &str,
    report: &mut Report,
) -> Vec<(String, String)> {
    if let Some(rtt_ms) = link.rtt_ms {
        let message = "is a round trip; with `from` and `to` write delay_ms (one way), or use `between`";
        report.error(&format!("{path}.rtt_ms"), Some(rtt_ms.to_string()), message);
    } else if link.delay_ms.is_none() && !report.has_error(&format!("{path}.delay_ms")) {
        report.error(&format!("{path}.delay_ms"), None, "missing; a link with `from` and `to` needs it");
    }
    let from_known = known_cloud(raw, Some(from), &format!("{path}.from"), report);
    let to_known = known_cloud(raw, Some(to), &format!("{path}.to"), report);
    if from == to {
        report.error(&format!("{path}.to"), Some(quoted(to)), "joins a cloud to itself; use [local_link]");
        return Vec::new();
    }
    if from_known && to_known { vec![(from.clone(), to.clone())] } else { Vec::new() }
}

fn shape(link: &RawLink, path: &str, report: &mut Report) -> LinkShape {
    let delay_ms = link.delay_ms.or(link.rtt_ms.map(|rtt_ms| rtt_ms / 2.0));
    checked(&ShapeKeys { delay_ms, ..link.shape_keys() }, path, report)
}

/// The shape that these keys mean, with every rule between them that is broken reported.
fn checked(keys: &ShapeKeys, path: &str, report: &mut Report) -> LinkShape {
    for rule in broken(keys) {
        let at = |key: &str| format!("{path}.{key}");
        let pointless = rule.looked_at.iter().any(|key| report.has_error(&at(key)));
        if !pointless && !report.has_error(&at(rule.key)) {
            report.error(&at(rule.key), Some(rule.value), rule.message);
        }
    }
    keys.shape()
}

fn add(shapes: &mut Shapes, pair: (String, String), shape: LinkShape, index: usize, report: &mut Report) {
    let path = format!("links[{index}]");
    match shapes.get(&pair) {
        Some((_, earlier)) if !report.has_error_at(&path) => {
            let (from, to) = &pair;
            let there = report.origins.of(&format!("links[{earlier}]"));
            let message =
                format!("{from} to {to} has a shape already ({there}); each direction takes exactly one");
            report.error(&path, None, message);
        }
        Some(_) => {}
        None => {
            shapes.insert(pair, (shape, index));
        }
    }
}

fn report_missing(raw: &Raw, shapes: &Shapes, report: &mut Report) {
    let has = |from: &String, to: &String| shapes.contains_key(&(from.clone(), to.clone()));
    for (index, a) in raw.clouds.keys().enumerate() {
        for b in raw.clouds.keys().skip(index + 1) {
            let advice = "every pair of clouds needs a shape in both directions";
            match (has(a, b), has(b, a)) {
                (true, true) => {}
                (false, false) => {
                    report.error("links", None, format!("no link between {a} and {b}; {advice}"))
                }
                (false, true) => report.error("links", None, format!("no link from {a} to {b}; {advice}")),
                (true, false) => report.error("links", None, format!("no link from {b} to {a}; {advice}")),
            }
        }
    }
}
