//! Links: every ordered pair of different clouds has exactly one shape, so that no packet ever crosses unshaped.

use std::collections::BTreeMap;

use super::known_cloud;
use crate::finding::Report;
use crate::raw::{Raw, RawLink};
use crate::text::quoted;
use crate::types::{Link, LinkShape};

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
    let local = &raw.local_link;
    let shape = LinkShape {
        delay_ms: local.delay_ms.unwrap_or_default(),
        jitter_ms: local.jitter_ms.unwrap_or_default(),
        loss: local.loss.unwrap_or_default(),
        rate_mbit: local.rate_mbit,
        queue_bytes: local.queue_bytes,
        reorder: local.reorder.unwrap_or_default(),
    };
    check_shape(&shape, local.delay_ms.is_some(), "local_link", report);
    shape
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
    let shape = LinkShape {
        delay_ms: delay_ms.unwrap_or_default(),
        jitter_ms: link.jitter_ms.unwrap_or_default(),
        loss: link.loss.unwrap_or_default(),
        rate_mbit: link.rate_mbit,
        queue_bytes: link.queue_bytes,
        reorder: link.reorder.unwrap_or_default(),
    };
    check_shape(&shape, delay_ms.is_some(), path, report);
    shape
}

fn check_shape(shape: &LinkShape, delay_known: bool, path: &str, report: &mut Report) {
    let jitter = format!("{path}.jitter_ms");
    if delay_known && shape.jitter_ms > shape.delay_ms && !report.has_error(&jitter) {
        let message = format!("must be at most the one-way delay, {} ms", shape.delay_ms);
        report.error(&jitter, Some(shape.jitter_ms.to_string()), message);
    }
    let queue = format!("{path}.queue_bytes");
    if let (Some(bytes), None) = (shape.queue_bytes, shape.rate_mbit)
        && !report.has_error(&format!("{path}.rate_mbit"))
        && !report.has_error(&queue)
    {
        report.error(&queue, Some(bytes.to_string()), "bounds what waits for the rate; set rate_mbit too");
    }
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
