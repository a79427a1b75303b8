//! The shape of a JSON document: its keys and types, without its values. Golden files hold shapes, so that a renamed
//! or vanished field fails a test and another port number does not.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value};

/// Keys stay, values become the names of their types, the elements of a list become one.
pub(crate) fn of(value: &Value) -> Value {
    let scalar = |name: &str| Value::String(name.to_owned());
    match value {
        Value::Null => scalar("null"),
        Value::Bool(_) => scalar("bool"),
        Value::Number(_) => scalar("number"),
        Value::String(_) => scalar("string"),
        Value::Array(items) => Value::Array(items.iter().map(of).reduce(merge).into_iter().collect()),
        Value::Object(fields) => fields.iter().map(|(key, field)| (key.clone(), of(field))).collect(),
    }
}

/// One shape for two elements of a list: the fields of both, `number|null` where the types differ.
fn merge(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Object(mut fields), Value::Object(more)) => {
            for (key, field) in more {
                let merged = match fields.remove(&key) {
                    Some(before) => merge(before, field),
                    None => field,
                };
                fields.insert(key, merged);
            }
            Value::Object(fields)
        }
        (Value::Array(items), Value::Array(more)) => {
            Value::Array(items.into_iter().chain(more).reduce(merge).into_iter().collect())
        }
        (Value::String(one), Value::String(other)) => {
            let names: BTreeSet<&str> = one.split('|').chain(other.split('|')).collect();
            Value::String(names.into_iter().collect::<Vec<_>>().join("|"))
        }
        // What may be absent and is a structure otherwise: the structure.
        (Value::String(null), some) | (some, Value::String(null)) if null == "null" => some,
        (one, other) => panic!("a list holds different things: {one} and {other}"),
    }
}

/// Compares with the golden file of this name; `FARQUORUM_UPDATE=1` writes it instead.
#[track_caller]
pub(crate) fn check(name: &str, document: &Value) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.json"));
    let shape = sorted(of(document));
    let text = serde_json::to_string_pretty(&shape).unwrap() + "\n";
    if std::env::var_os("FARQUORUM_UPDATE").is_some() {
        std::fs::write(&file, text).unwrap();
        return;
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        golden == text,
        "{name}: fields or types changed (FARQUORUM_UPDATE=1 accepts it)\ngolden: {golden}\nnow: {text}"
    );
}

/// Order of fields is no part of the contract.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(String, Value)> = fields.into_iter().collect();
            fields.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(Map::from_iter(fields.into_iter().map(|(key, field)| (key, sorted(field)))))
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
