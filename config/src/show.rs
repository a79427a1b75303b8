//! The effective configuration as TOML, each value with its origin as a comment. The text is a configuration again: a
//! test loads it and gets the same one.

use figment::value::{Dict, Value};

use crate::document::join;
use crate::keys;
use crate::load::Loaded;
use crate::text;

impl Loaded {
    /// All values, defaults and derived ones too, in the order of the table of keys.
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        for pattern in table_patterns() {
            if let Some(list) = pattern.strip_suffix("[]") {
                let Some(Value::Array(_, elements)) = self.effective.get(list) else { continue };
                for (index, element) in elements.iter().enumerate() {
                    self.write_table(
                        element,
                        &format!("[[{list}]]"),
                        &format!("{list}[{index}]"),
                        pattern,
                        &mut out,
                    );
                }
            } else if let Some(parent) = pattern.strip_suffix(".<label>") {
                let Some(Value::Dict(_, tables)) = self.effective.get(parent) else { continue };
                for (label, table) in tables {
                    let path = join(parent, label);
                    self.write_table(table, &format!("[{path}]"), &path, pattern, &mut out);
                }
            } else if let Some(table) = self.effective.get(pattern) {
                self.write_table(table, &format!("[{pattern}]"), pattern, pattern, &mut out);
            }
        }
        out
    }

    fn write_table(&self, table: &Value, header: &str, path: &str, pattern: &str, out: &mut String) {
        let Value::Dict(_, table) = table else { return };
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(header);
        out.push('\n');
        for (name, value) in in_order(table, pattern) {
            let origin = self.origins.of(&join(path, name));
            out.push_str(&format!("{name} = {}  # {origin}\n", text::toml(value)));
        }
    }
}

/// Patterns of all tables that have a header of their own, each once, in the order of the table of keys. A table
/// inside another that has keys is written inline.
fn table_patterns() -> Vec<&'static str> {
    let inline =
        |table: &str| table.rsplit_once('.').is_some_and(|(around, _)| keys::inside(around).next().is_some());
    let tables = keys::keys().iter().filter_map(|key| key.name.rsplit_once('.')).map(|(table, _)| table);
    let mut patterns: Vec<&str> = tables.filter(|table| !inline(table)).collect();
    patterns.dedup();
    patterns
}

fn in_order<'a>(table: &'a Dict, pattern: &str) -> impl Iterator<Item = (&'static str, &'a Value)> {
    keys::names_inside(pattern).into_iter().filter_map(|name| Some((name, table.get(name)?)))
}
