//! TOML text to values with their lines. `toml_edit` is the parser because it keeps spans; the values are figment's,
//! so that all layers merge alike. A text that is not TOML is one problem with line and column; nothing else about it
//! can be judged.

use std::path::Path;

use figment::value::{Dict, Value};
use toml_edit::{Array, Document, InlineTable, Item, Table};

use crate::finding::{Finding, Origin, Origins};

/// A file: its values and the line of each.
pub(crate) struct Parsed {
    /// The values.
    pub(crate) values: Dict,
    /// The line of each path.
    pub(crate) origins: Origins,
}

/// Parses a file, or the built-in topology when there is no path.
pub(crate) fn parse(text: &str, path: Option<&Path>) -> Result<Parsed, Box<Finding>> {
    let walk = |origins| Walk { text, path, origins };
    let mut walk = walk(Origins::default());
    let document = Document::parse(text).map_err(|error| Box::new(walk.syntax_error(&error)))?;
    walk.origins.set("", walk.origin(0));
    let values = walk.table(document.as_table(), "");
    Ok(Parsed { values, origins: walk.origins })
}

/// Parses one value as TOML, as it is written behind `key =`.
pub(crate) fn parse_value(text: &str) -> Option<Value> {
    let value: toml_edit::Value = text.trim().parse().ok()?;
    let mut walk = Walk { text, path: None, origins: Origins::default() };
    Some(walk.value(&value, ""))
}

struct Walk<'a> {
    text: &'a str,
    path: Option<&'a Path>,
    origins: Origins,
}

impl Walk<'_> {
    /// Line of a byte offset, from 1.
    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }

    fn origin(&self, offset: usize) -> Origin {
        let line = self.line(offset);
        match self.path {
            Some(path) => Origin::File { path: path.to_owned(), line },
            None => Origin::BuiltIn { line },
        }
    }

    fn note(&mut self, path: &str, offset: Option<usize>) {
        if let Some(offset) = offset {
            let origin = self.origin(offset);
            self.origins.set(path, origin);
        }
    }

    fn table(&mut self, table: &Table, path: &str) -> Dict {
        let mut values = Dict::new();
        for (name, item) in table {
            let child = join(path, name);
            let key_start = table.key(name).and_then(|key| key.span()).map(|span| span.start);
            self.note(&child, key_start.or_else(|| item.span().map(|span| span.start)));
            if let Some(value) = self.item(item, &child) {
                values.insert(name.to_owned(), value);
            }
        }
        values
    }

    fn inline_table(&mut self, table: &InlineTable, path: &str) -> Dict {
        let mut values = Dict::new();
        for (name, value) in table {
            let child = join(path, name);
            self.note(&child, value.span().map(|span| span.start));
            values.insert(name.to_owned(), self.value(value, &child));
        }
        values
    }

    fn item(&mut self, item: &Item, path: &str) -> Option<Value> {
        match item {
            Item::None => None,
            Item::Value(value) => Some(self.value(value, path)),
            Item::Table(table) => Some(self.table(table, path).into()),
            Item::ArrayOfTables(tables) => {
                let mut elements: Vec<Value> = Vec::new();
                for (index, table) in tables.iter().enumerate() {
                    let child = format!("{path}[{index}]");
                    self.note(&child, table.span().map(|span| span.start));
                    elements.push(self.table(table, &child).into());
                }
                Some(elements.into())
            }
        }
    }

    fn array(&mut self, array: &Array, path: &str) -> Vec<Value> {
        let mut elements = Vec::new();
        for (index, value) in array.iter().enumerate() {
            let child = format!("{path}[{index}]");
            self.note(&child, value.span().map(|span| span.start));
            elements.push(self.value(value, &child));
        }
        elements
    }

    fn value(&mut self, value: &toml_edit::Value, path: &str) -> Value {
        match value {
            toml_edit::Value::String(text) => text.value().as_str().into(),
            toml_edit::Value::Integer(number) => (*number.value()).into(),
            toml_edit::Value::Float(number) => (*number.value()).into(),
            toml_edit::Value::Boolean(switch) => (*switch.value()).into(),
            // No key takes a date; as text it is refused with the others.
            toml_edit::Value::Datetime(date) => date.value().to_string().into(),
            toml_edit::Value::Array(array) => self.array(array, path).into(),
            toml_edit::Value::InlineTable(table) => self.inline_table(table, path).into(),
        }
    }

    fn syntax_error(&self, error: &toml_edit::TomlError) -> Finding {
        let offset = error.span().map_or(0, |span| span.start).min(self.text.len());
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        let line = self.line(offset);
        let shown: String = self.text.lines().nth(line - 1).unwrap_or_default().chars().take(100).collect();
        let reason = error.message().replace('\n', "; ");
        let message = format!("not TOML, column {column}: {reason}\n    {shown}");
        Finding { key: String::new(), value: None, origin: self.origin(offset), message }
    }
}

/// Path of a key inside a table.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
