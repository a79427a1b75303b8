//! Edits of the list of links before it is checked: what a variable or a preset says about a pair of clouds.

use figment::value::{Dict, Value};

use crate::finding::{Origin, Report};
use crate::keys;
use crate::layers::Layers;

/// Sets the RTT between two clouds and leaves jitter, loss and rate of their links as they are.
pub(crate) fn set_rtt(
    pair: (&str, &str),
    rtt_ms: Value,
    origin: Origin,
    layers: &mut Layers,
    report: &mut Report,
) {
    let half =
        rtt_ms.to_num().and_then(keys::to_f64).map_or_else(|| rtt_ms.clone(), |rtt_ms| (rtt_ms / 2.0).into());
    let mut links = layers.list("links");
    let mut found = false;
    for (index, link) in links.iter_mut().enumerate() {
        let Value::Dict(_, link) = link else { continue };
        let (key, value) = match joins(link, pair) {
            Some(Joined::Both) => ("rtt_ms", &rtt_ms),
            Some(Joined::OneWay) => ("delay_ms", &half),
            None => continue,
        };
        link.insert(key.to_owned(), value.clone());
        report.origins.set(format!("links[{index}].{key}"), origin.clone());
        found = true;
    }
    if !found {
        report.origins.set(format!("links[{}]", links.len()), origin);
        links.push(between(pair.0, pair.1, rtt_ms));
    }
    layers.replace_list("links", links);
}

/// A link that shapes both directions.
pub(crate) fn between(a: &str, b: &str, rtt_ms: Value) -> Value {
    let labels: Vec<Value> = vec![a.into(), b.into()];
    Dict::from([("between".to_owned(), labels.into()), ("rtt_ms".to_owned(), rtt_ms)]).into()
}

enum Joined {
    Both,
    OneWay,
}

fn joins(link: &Dict, (a, b): (&str, &str)) -> Option<Joined> {
    let is_pair =
        |x: Option<&str>, y: Option<&str>| (x, y) == (Some(a), Some(b)) || (x, y) == (Some(b), Some(a));
    let text = |name: &str| link.get(name).and_then(Value::as_str);
    if is_pair(text("from"), text("to")) {
        return Some(Joined::OneWay);
    }
    let Some(Value::Array(_, labels)) = link.get("between") else { return None };
    let label = |index: usize| labels.get(index).and_then(Value::as_str);
    is_pair(label(0), label(1)).then_some(Joined::Both)
}
