//! The one configuration file: raw TOML, environment and flags in, a validated [`Config`] out.
//!
//! The way of a value: `document` (text to values with lines) -> `layers` (defaults < file < environment < flags,
//! merged by figment; `topology`, `environment`, `presets`, `overrides` put them there) -> `check` (each value by itself, against
//! the table in `keys`) -> `raw` (serde) -> `validate` (rules between values, derived ones) -> [`Config`]. Nothing is
//! read but the one file; no port is opened, no name resolved.

mod check;
mod detours;
mod document;
mod environment;
mod explain;
mod finding;
mod host_command;
mod keys;
mod layers;
mod links;
mod load;
mod members;
mod names;
mod overrides;
pub mod presets;
mod raw;
pub mod render;
mod shape;
mod show;
mod text;
pub mod topology;
mod types;
mod validate;
mod whole;

pub use detours::{Detours, NoDetour};
pub use environment::Environment;
pub use explain::{Explained, Explanation};
pub use finding::{ConfigErrors, Finding, Origin};
pub use host_command::{BadCommand, CommandHost, HostCommand};
pub use keys::{Fallback, Form, Key, Kind, keys};
pub use load::{BUILT_IN, Loaded, Sources, load, load_text, read};
pub use members::UnknownHost;
pub use names::known;
pub use shape::{
    Codel, Gilbert, GilbertKeys, Jitter, LinkShape, Loss, Quantiles, QuantilesError, Queue, ShapeError,
    ShapeKeys, Spread,
};
pub use text::quoted;
pub use types::{
    Cloud, Cluster, Config, Ipv4Net, Lab, LabBackend, Limits, Link, LogBackend, Node, NodeId, Ports,
    Provider, Raft, Rollout, Storage, StorageService, Tasks, Worker,
};
pub use whole::{Draft, write_whole};
