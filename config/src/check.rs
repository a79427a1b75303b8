//! Judges each value by itself against the table of keys: unknown keys, types, ranges, forms, required keys; and fills
//! in the defaults. A bad value is reported and then replaced by its default or left out, so that the rules about
//! several values ([`crate::validate`]) still run and every mistake of the file is named at once.

use figment::value::{Dict, Value};

use crate::document::join;
use crate::finding::{Origin, Report};
use crate::keys::{self, Fallback, Key, Kind, Shape};
use crate::names;
use crate::text;

/// Most clouds: every pair of them needs a link, so their number is squared.
const CLOUDS_MAX: usize = 32;

/// Most elements of a list: far beyond any deployment of one Raft group.
const ELEMENTS_MAX: usize = 4_096;

/// Checks the merged tree and completes it.
pub(crate) fn check(tree: &mut Dict, report: &mut Report) {
    check_table(tree, "", "", report);
}

fn check_table(table: &mut Dict, path: &str, pattern: &str, report: &mut Report) {
    if pattern == "clouds" && table.len() > CLOUDS_MAX {
        report.error(path, None, format!("has {} clouds; at most {CLOUDS_MAX} are allowed", table.len()));
        table.clear();
    }
    let names: Vec<String> = table.keys().cloned().collect();
    for name in names {
        let child = join(path, &name);
        let child_pattern = keys::child_pattern(pattern, &name);
        if pattern == "clouds" && !keys::Form::Label.accepts(&name) {
            report.error(&child, None, format!("a cloud's label must be {}", keys::Form::Label.allowed()));
        }
        let Some(value) = table.get_mut(&name) else { continue };
        match keys::shape(&child_pattern) {
            Shape::Key(key) if key.kind.accepts(value) => {}
            Shape::Key(key) => {
                report.error(&child, text::shown(value), refusal(key, value));
                table.remove(&name);
            }
            Shape::Table => check_as_table(value, &child, &child_pattern, report),
            Shape::List => check_list(value, &child, &child_pattern, report),
            Shape::Unknown => {
                report.error(&child, text::shown(value), unknown_key(&child_pattern, pattern, &name));
                table.remove(&name);
            }
        }
    }
    complete(table, path, pattern, report);
}

/// Fills in defaults and reports what is required and missing.
fn complete(table: &mut Dict, path: &str, pattern: &str, report: &mut Report) {
    for (key, name) in keys::inside(pattern) {
        if table.contains_key(name) {
            continue;
        }
        let child = join(path, name);
        match key.default {
            Fallback::Value(default) => {
                if let Some(value) = crate::document::parse_value(default) {
                    table.insert(name.to_owned(), value);
                    report.origins.set(child, Origin::Default);
                }
            }
            Fallback::Required if !report.has_error_at(&child) && !report.has_error_at(path) => {
                report.error(
                    &child,
                    None,
                    format!("missing. {} Must be {}", key.meaning, key.kind.allowed()),
                );
            }
            Fallback::Required | Fallback::Derived(_) | Fallback::Unset(_) => {}
        }
    }
}

fn check_list(value: &mut Value, path: &str, pattern: &str, report: &mut Report) {
    if !matches!(value, Value::Array(..)) {
        report.error(path, text::shown(value), format!("must be a list of tables, each written [[{path}]]"));
        *value = Vec::<Value>::new().into();
    }
    let Value::Array(_, elements) = value else { return };
    if elements.len() > ELEMENTS_MAX {
        let message = format!("has {} elements; at most {ELEMENTS_MAX} are allowed", elements.len());
        report.error(path, None, message);
        elements.clear();
    }
    for (index, element) in elements.iter_mut().enumerate() {
        let child = format!("{path}[{index}]");
        check_as_table(element, &child, &format!("{pattern}[]"), report);
    }
}

/// Checks a value that should be a table; one that is none is reported and replaced by an empty one.
fn check_as_table(value: &mut Value, path: &str, pattern: &str, report: &mut Report) {
    if !matches!(value, Value::Dict(..)) {
        report.error(path, text::shown(value), "must be a table");
        *value = Dict::new().into();
    }
    if let Value::Dict(_, table) = value {
        check_table(table, path, pattern, report);
    }
}

fn refusal(key: &Key, value: &Value) -> String {
    let allowed = key.kind.allowed();
    let meant = value.as_str().and_then(crate::document::parse_value);
    let number_or_switch = !matches!(key.kind, Kind::Text(_) | Kind::Choice(_));
    match meant {
        Some(meant) if number_or_switch && key.kind.accepts(&meant) => {
            format!("must be {allowed}, written without quotes")
        }
        _ => format!("must be {allowed}"),
    }
}

/// Message for a key that does not exist: the nearest one in the same table, else the same name in another table, else
/// all keys of the table.
pub(crate) fn unknown_key(full: &str, table: &str, name: &str) -> String {
    let here: Vec<&str> = keys::names_inside(table);
    if let Some(near) = names::nearest(name, here.iter().copied()) {
        return format!("unknown key; did you mean {}?", join(table, near));
    }
    let elsewhere: Vec<&str> = keys::keys()
        .iter()
        .map(|key| key.name)
        .filter(|known| known.rsplit('.').next() == Some(name))
        .collect();
    if !elsewhere.is_empty() {
        return format!("unknown key; did you mean {}?", elsewhere.join(" or "));
    }
    if let Some(near) = names::nearest(full, keys::keys().iter().map(|key| key.name)) {
        return format!("unknown key; did you mean {near}?");
    }
    let place = if table.is_empty() { "at the top level".to_owned() } else { format!("in {table}") };
    format!("unknown key; known {place}: {}", here.join(", "))
}
