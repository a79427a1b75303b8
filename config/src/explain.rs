//! What a key means and where its value came from: the answer of `farquorum config explain KEY`.

use std::fmt;

use figment::value::{Dict, Value};

use crate::document::join;
use crate::finding::Origin;
use crate::keys::{self, Fallback, Key, Shape};
use crate::load::Loaded;
use crate::{check, environment, text};

/// One key explained. `Display` gives a few aligned lines of plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Dotted name, as `nodes[].id`.
    pub key: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// Type, unit and range.
    pub allowed: String,
    /// What holds when it is not set.
    pub default: String,
    /// Variables that set it.
    pub variables: Vec<String>,
    /// Its values in this configuration: one, or one for each element of a list.
    pub values: Vec<Explained>,
}

/// One value and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Concrete path, as `nodes[1].id`.
    pub path: String,
    /// Name of the node or worker that it belongs to.
    pub host: Option<String>,
    /// The value as TOML.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

impl Loaded {
    /// Explains a key: `raft.heartbeat_ms`, `nodes.id` (of all nodes) or `nodes[1].id` (of one, from 0).
    ///
    /// # Errors
    /// A message that names the nearest key, or the keys of a table.
    pub fn explain(&self, key: &str) -> Result<Explanation, String> {
        let pattern = keys::pattern_of(key);
        let found = match keys::shape(&pattern) {
            Shape::Key(found) => found,
            Shape::Table | Shape::List => {
                let names = keys::keys().iter().map(|key| key.name).filter(|name| name.starts_with(&pattern));
                return Err(format!("{key} is a table; its keys: {}", names.collect::<Vec<_>>().join(", ")));
            }
            Shape::Unknown => {
                let (table, name) = pattern.rsplit_once('.').unwrap_or(("", &pattern));
                return Err(format!("{key}: {}", check::unknown_key(&pattern, table, name)));
            }
        };
        let mut values = Vec::new();
        self.collect(&self.effective, "", "", None, found, &mut values);
        if key.contains('[') && !key.contains("[]") || key.starts_with("clouds.") {
            values.retain(|value| value.path == key || found.name == key);
        }
        Ok(Explanation {
            key: found.name,
            meaning: found.meaning,
            allowed: found.kind.allowed(),
            default: default_text(found),
            variables: environment::variables_of(found.name),
            values,
        })
    }

    /// All values of `key` below a table.
    fn collect(
        &self,
        table: &Dict,
        path: &str,
        pattern: &str,
        host: Option<&str>,
        key: &Key,
        out: &mut Vec<Explained>,
    ) {
        let host = table.get("name").and_then(Value::as_str).filter(|_| pattern.ends_with("[]")).or(host);
        for (name, value) in table {
            let child = join(path, name);
            let child_pattern = keys::child_pattern(pattern, name);
            match (keys::shape(&child_pattern), value) {
                (Shape::Key(found), _) if found.name == key.name => out.push(Explained {
                    origin: self.origins.of(&child),
                    value: text::toml(value),
                    host: host.map(str::to_owned),
                    path: child,
                }),
                (Shape::Table, Value::Dict(_, inner)) => {
                    self.collect(inner, &child, &child_pattern, host, key, out);
                }
                (Shape::List, Value::Array(_, elements)) => {
                    for (index, element) in elements.iter().enumerate() {
                        let Value::Dict(_, inner) = element else { continue };
                        let element_path = format!("{child}[{index}]");
                        self.collect(inner, &element_path, &format!("{child_pattern}[]"), host, key, out);
                    }
                }
                _ => {}
            }
        }
    }
}

fn default_text(key: &Key) -> String {
    match key.default {
        Fallback::Value(value) => value.to_owned(),
        Fallback::Required => "none, must be set".to_owned(),
        Fallback::Derived(from) => format!("derived from {from}"),
        Fallback::Unset(meaning) => format!("not set: {meaning}"),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.key)?;
        writeln!(f, "  meaning   {}", self.meaning)?;
        writeln!(f, "  allowed   {}", self.allowed)?;
        writeln!(f, "  default   {}", self.default)?;
        for variable in &self.variables {
            writeln!(f, "  variable  {variable}")?;
        }
        if self.values.is_empty() {
            writeln!(f, "  value     not set")?;
        }
        for value in &self.values {
            let host = value.host.as_deref().map(|host| format!(" of {host}")).unwrap_or_default();
            writeln!(f, "  value     {} = {}{host} ({})", value.path, value.value, value.origin)?;
        }
        Ok(())
    }
}
