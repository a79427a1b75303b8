//! What was changed on the links of a simulation since it was started. A recording says it of itself: the preset and the
//! configuration's digest alone would claim a network that it did not have.

use farquorum_config::LinkShape;
use farquorum_netem::wan::{LinkReport, WanControl, WanError};
use serde_json::{Map, Value};

/// The links at the start.
pub(super) struct AtStart(Vec<LinkReport>);

impl AtStart {
    /// The links as they are.
    pub(super) fn of(control: &WanControl) -> Result<Self, WanError> {
        control.links().map(Self)
    }

    /// Every key that has another value now, and every cut: `aws->gcp delay_ms 25 -> 30`.
    pub(super) fn changes(&self, now: &[LinkReport]) -> Vec<String> {
        let before = |link: &LinkReport| self.0.iter().find(|old| old.from == link.from && old.to == link.to);
        now.iter()
            .filter_map(|link| Some((before(link)?, link)))
            .flat_map(|(old, new)| of(old, new))
            .collect()
    }
}

fn of(old: &LinkReport, new: &LinkReport) -> Vec<String> {
    let name = format!("{}->{}", new.from, new.to);
    let (was, is) = (keys(&old.shape), keys(&new.shape));
    let mut names: Vec<&String> = was.keys().chain(is.keys()).collect();
    names.sort();
    names.dedup();
    let value = |side: &Map<String, Value>, key: &String| {
        side.get(key).filter(|value| !value.is_null()).map_or_else(|| "none".to_owned(), Value::to_string)
    };
    let differs = names.into_iter().filter(|key| value(&was, key) != value(&is, key));
    let mut changes: Vec<String> =
        differs.map(|key| format!("{name} {key} {} -> {}", value(&was, key), value(&is, key))).collect();
    if new.cut && !old.cut {
        changes.push(format!("{name} cut"));
    }
    changes
}

fn keys(shape: &LinkShape) -> Map<String, Value> {
    match serde_json::to_value(shape) {
        Ok(Value::Object(keys)) => keys,
        // A shape is a table of keys; nothing else is ever written.
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use farquorum_netem::wan::Counters;

    use super::*;

    fn link(to: &str, delay_ms: f64) -> LinkReport {
        let shape = LinkShape { delay_ms, ..LinkShape::default() };
        LinkReport {
            from: "aws".to_owned(),
            to: to.to_owned(),
            shape,
            cut: false,
            cut_host_pairs: 0,
            counters: Counters::default(),
        }
    }

    #[test]
    fn keys_and_cuts_are_named_and_the_rest_is_not() {
        let start = AtStart(vec![link("gcp", 25.0), link("azure", 37.5)]);
        assert_eq!(start.changes(&[link("gcp", 25.0), link("azure", 37.5)]), Vec::<String>::new());
        let mut slower = link("gcp", 30.0);
        slower.shape.rate_mbit = Some(20.0);
        let cut = LinkReport { cut: true, ..link("azure", 37.5) };
        let expected =
            ["aws->gcp delay_ms 25.0 -> 30.0", "aws->gcp rate_mbit none -> 20.0", "aws->azure cut"];
        assert_eq!(start.changes(&[slower, cut]), expected);
    }
}
