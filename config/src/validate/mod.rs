//! Rules about several values together, and the step from the raw struct to [`Config`]. Each value by itself was
//! judged before ([`crate::check`]); what was refused there is missing here, and every rule skips what is missing, so
//! that one mistake gives one message. With a problem noted, the result is thrown away.

mod bounds;
mod detours;
mod hosts;
mod links;
mod rollout;
mod storage;
mod timing;
mod voters;

use figment::value::{Dict, Value};

use crate::finding::{Origin, Report};
use crate::layers::insert;
use crate::raw::Raw;
use crate::types::{Cluster, Config, Ports};

/// Checks the rules, fills the derived values into `effective`, and builds the configuration.
pub(crate) fn validate(raw: &Raw, effective: &mut Dict, report: &mut Report) -> Config {
    let mut derived = Derived::default();
    let clouds = hosts::clouds(raw, report);
    let links = links::links(raw, report);
    let local_link = links::local_link(raw, report);
    let ports = ports(raw);
    let mut nodes = hosts::nodes(raw, &ports, report, &mut derived);
    let workers = hosts::workers(raw, &ports, report, &mut derived);
    let storage = storage::storage(raw, &ports, &clouds, report, &mut derived);
    hosts::distinct(raw, &nodes, &workers, &storage, report);
    voters::check(raw, &nodes, report);
    nodes.sort_by_key(|node| node.id);
    let rtt = timing::largest_rtt(&links, &local_link);
    let config = Config {
        cluster: Cluster {
            name: raw.cluster.name.clone().unwrap_or_default(),
            allow_single_node: raw.cluster.allow_single_node.unwrap_or_default(),
        },
        raft: timing::raft(raw, &rtt, report, &mut derived),
        tasks: bounds::tasks(raw, report),
        limits: bounds::limits(raw, report),
        lab: bounds::lab(raw, &storage, report, &mut derived),
        rollout: rollout::rollout(raw, report),
        detours: detours::detours(raw, report),
        clouds,
        links,
        local_link,
        nodes,
        workers,
        storage,
        ports,
    };
    derived.fill_in(effective, report);
    config
}

fn ports(raw: &Raw) -> Ports {
    let port = |port: Option<u16>| port.unwrap_or_default();
    Ports {
        raft: port(raw.ports.raft),
        grpc: port(raw.ports.grpc),
        http: port(raw.ports.http),
        s3: port(raw.ports.s3),
    }
}

/// Values that were computed because the file sets none.
#[derive(Debug, Default)]
struct Derived(Vec<(String, Value, String)>);

impl Derived {
    /// The value that is set, else the computed one, which is noted with what it was computed from.
    fn or<T: Clone + Into<Value>>(&mut self, set: Option<T>, path: &str, computed: T, from: &str) -> T {
        set.unwrap_or_else(|| {
            self.0.push((path.to_owned(), computed.clone().into(), from.to_owned()));
            computed
        })
    }

    fn fill_in(self, effective: &mut Dict, report: &mut Report) {
        for (path, value, from) in self.0 {
            match path.split_once(['[', ']']) {
                Some((list, rest)) => fill_element(effective, list, rest, value),
                None => insert(effective, &path, value),
            }
            report.origins.set(path, Origin::Derived(from));
        }
    }
}

/// Sets a value inside an element of a list; `rest` is `INDEX].KEY`.
fn fill_element(effective: &mut Dict, list: &str, rest: &str, value: Value) {
    let Some((index, key)) = rest.split_once("].") else { return };
    let Some(Value::Array(_, elements)) = effective.get_mut(list) else { return };
    if let Some(Value::Dict(_, element)) = index.parse().ok().and_then(|index: usize| elements.get_mut(index))
    {
        element.insert(key.to_owned(), value);
    }
}

/// Reports a label of a cloud that the file does not have.
fn known_cloud(raw: &Raw, label: Option<&str>, path: &str, report: &mut Report) -> bool {
    let Some(label) = label else { return false };
    if raw.clouds.contains_key(label) {
        return true;
    }
    if raw.clouds.is_empty() {
        // That there are none is reported once.
        return false;
    }
    let labels: Vec<&str> = raw.clouds.keys().map(String::as_str).collect();
    let message = format!("no such cloud; {}", crate::names::known(label, &labels));
    report.error(path, Some(crate::text::quoted(label)), message);
    false
}
