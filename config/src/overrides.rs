//! Single values from flags, and what flags and `FARQUORUM_` variables share: the way from a dotted key to a value.

use crate::check;
use crate::finding::{Origin, Report};
use crate::keys::{self, Shape};
use crate::layers::Layers;

/// Applies flags in their order; the last one wins.
pub(crate) fn apply(overrides: &[(String, String)], layers: &mut Layers, report: &mut Report) {
    for (key, text) in overrides {
        apply_one(key, text, Origin::CommandLine(None), layers, report);
    }
}

/// Sets one dotted key from outside the file.
pub(crate) fn apply_one(key: &str, text: &str, origin: Origin, layers: &mut Layers, report: &mut Report) {
    let pattern = keys::pattern_of(key);
    let shown = Some(crate::text::quoted(text));
    let list_path = pattern.contains("[]");
    match keys::shape(&pattern) {
        Shape::Key(found) if !list_path => layers.set(key, found.kind.read(text), origin, report),
        Shape::Unknown if !list_path || !in_list(&pattern) => {
            let (table, name) = pattern.rsplit_once('.').unwrap_or(("", &pattern));
            report.error_at(origin, key, shown, check::unknown_key(&pattern, table, name));
        }
        Shape::Table => report.error_at(origin, key, shown, "is a table; set one of its keys"),
        _ => {
            let list = key.split(['.', '[']).next().unwrap_or(key);
            let message = format!("{list} is a list and can be changed only in the file, under [[{list}]]");
            report.error_at(origin, key, shown, message);
        }
    }
}

/// Whether the pattern is inside a list that exists.
fn in_list(pattern: &str) -> bool {
    let list = pattern.split("[]").next().unwrap_or_default();
    matches!(keys::shape(list), Shape::List)
}
