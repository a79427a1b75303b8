//! The layers of a configuration, merged by figment: defaults < file < environment < flags. Beside the values stands
//! where each came from. Lists merge as a whole; the two variables that reach into a list (an RTT, RAFT_PEERS) edit a
//! copy of it.

use figment::value::{Dict, Map, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};

use crate::document;
use crate::finding::{Origin, Report};
use crate::keys::{self, Fallback};
use crate::raw::Raw;

/// One layer for figment.
pub(crate) struct Layer {
    name: &'static str,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// All layers so far.
pub(crate) struct Layers {
    figment: Figment,
}

impl Layers {
    /// The defaults of the table of keys.
    pub(crate) fn defaults(report: &mut Report) -> Self {
        let mut values = Dict::new();
        for key in keys::keys() {
            if let Fallback::Value(text) = key.default
                && !key.name.contains(['[', '<'])
                && let Some(value) = document::parse_value(text)
            {
                insert(&mut values, key.name, value);
                report.origins.set(key.name, Origin::Default);
            }
        }
        Self { figment: Figment::from(Layer { name: "defaults", values }) }
    }

    /// Puts a layer over those so far.
    pub(crate) fn merge(&mut self, name: &'static str, values: Dict) {
        self.figment = std::mem::take(&mut self.figment).merge(Layer { name, values });
    }

    /// Puts one value over those so far.
    pub(crate) fn set(&mut self, path: &str, value: Value, origin: Origin, report: &mut Report) {
        let mut values = Dict::new();
        insert(&mut values, path, value);
        self.merge("override", values);
        report.origins.set(path, origin);
    }

    /// The elements of a list of tables as they stand; what is no table counts as an empty one, and is reported by
    /// the check.
    pub(crate) fn list(&self, name: &str) -> Vec<Value> {
        match self.figment.find_value(name) {
            Ok(Value::Array(_, elements)) => elements,
            _ => Vec::new(),
        }
    }

    /// Puts another list in the place of a list of tables.
    pub(crate) fn replace_list(&mut self, name: &str, elements: Vec<Value>) {
        let mut values = Dict::new();
        insert(&mut values, name, elements.into());
        self.merge("list", values);
    }

    /// Puts another table in the place of one, whatever keys that had.
    pub(crate) fn replace_table(&mut self, name: &str, table: Dict) {
        let mut values = self.merged();
        values.insert(name.to_owned(), table.into());
        self.figment = Figment::from(Layer { name: "table", values });
    }

    /// The labels of all clouds with the text of their network.
    pub(crate) fn clouds(&self) -> Vec<(String, Option<String>)> {
        let Ok(Value::Dict(_, clouds)) = self.figment.find_value("clouds") else { return Vec::new() };
        let network = |cloud: Value| cloud.find("network").and_then(|value| value.into_string());
        clouds.into_iter().map(|(label, cloud)| (label, network(cloud))).collect()
    }

    /// The merged values.
    pub(crate) fn merged(&self) -> Dict {
        self.figment
            .data()
            .ok()
            .and_then(|mut profiles| profiles.remove(&Profile::Default))
            .unwrap_or_default()
    }
}

/// The checked tree as the raw struct.
pub(crate) fn extract(tree: &Dict, report: &mut Report) -> Raw {
    let figment = Figment::from(Layer { name: "checked", values: tree.clone() });
    figment.extract().unwrap_or_else(|error: Error| {
        // Only when the table of keys and the raw struct disagree, which a test rules out.
        report.error_at(Origin::Default, &error.path.join("."), None, error.to_string());
        Raw::default()
    })
}

/// Sets the value at a dotted path, making the tables on the way.
pub(crate) fn insert(table: &mut Dict, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
        }
        Some((name, rest)) => {
            let child = table.entry(name.to_owned()).or_insert_with(|| Dict::new().into());
            if !matches!(child, Value::Dict(..)) {
                *child = Dict::new().into();
            }
            if let Value::Dict(_, child) = child {
                insert(child, rest, value);
            }
        }
    }
}
