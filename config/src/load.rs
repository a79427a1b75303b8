//! From sources to a checked configuration. Reads one file and nothing else; the environment comes in as pairs.

use std::path::{Path, PathBuf};

use figment::value::Dict;

use crate::finding::{ConfigErrors, Finding, Origin, Origins, Report};
use crate::layers::{self, Layers};
use crate::types::Config;
use crate::{check, document, environment, overrides, presets, topology, validate};

/// The file at the root of the repository: what holds without a file.
pub const BUILT_IN: &str = include_str!("../../farquorum.toml");

/// Longest file that is read: a hundred times a deployment of a hundred hosts, and no trap when the path is wrong.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Everything that a configuration is made of, from weakest to strongest.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file; none: the built-in topology.
    pub file: Option<PathBuf>,
    /// A named topology in place of the file's own nodes, see [`crate::topology::TOPOLOGIES`].
    pub topology: Option<String>,
    /// Variables by name; see [`crate::Environment::process`].
    pub environment: Vec<(String, String)>,
    /// A named set of links in place of the file's own, see [`crate::presets::PRESETS`].
    pub preset: Option<String>,
    /// Flags as dotted key and value; the value is TOML, where texts need no quotes.
    pub overrides: Vec<(String, String)>,
}

/// A checked configuration and what is known about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What works but should be known.
    pub warnings: Vec<Finding>,
    /// Where each value came from.
    pub(crate) origins: Origins,
    /// All values, with defaults and derived ones filled in.
    pub(crate) effective: Dict,
}

impl Loaded {
    /// Where the value at a concrete path, as `nodes[1].id`, came from.
    pub fn origin(&self, path: &str) -> Origin {
        self.origins.of(path)
    }
}

/// Loads and checks a configuration.
///
/// # Errors
/// All problems at once; only a file that cannot be read or is not TOML hides the others.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigErrors> {
    let text = match &sources.file {
        Some(path) => read(path)?,
        None => BUILT_IN.to_owned(),
    };
    load_text(&text, sources.file.as_deref(), sources)
}

/// As [`load`], with the text of the file at hand; `path` is what messages call it.
///
/// # Errors
/// As [`load`].
pub fn load_text(text: &str, path: Option<&Path>, sources: &Sources) -> Result<Loaded, ConfigErrors> {
    let parsed = document::parse(text, path).map_err(|finding| ConfigErrors { findings: vec![*finding] })?;
    let mut report = Report::default();
    let mut layers = Layers::defaults(&mut report);
    layers.merge("file", parsed.values);
    report.origins.extend(parsed.origins);
    if let Some(name) = &sources.topology {
        topology::apply_topology(name, &mut layers, &mut report);
    }
    environment::apply(&sources.environment, &mut layers, &mut report);
    if let Some(name) = &sources.preset {
        presets::apply(name, &mut layers, &mut report);
    }
    overrides::apply(&sources.overrides, &mut layers, &mut report);

    let mut effective = layers.merged();
    check::check(&mut effective, &mut report);
    let raw = layers::extract(&effective, &mut report);
    let config = validate::validate(&raw, &mut effective, &mut report);
    let (warnings, origins) = report.finish()?;
    Ok(Loaded { config, warnings, origins, effective })
}

/// The text of a file, for [`load_text`].
///
/// # Errors
/// When it cannot be read, is larger than any configuration, or is not UTF-8.
pub fn read(path: &Path) -> Result<String, ConfigErrors> {
    let refuse = |message: String| {
        let origin = Origin::File { path: path.to_owned(), line: 0 };
        ConfigErrors { findings: vec![Finding { key: String::new(), value: None, origin, message }] }
    };
    let size = std::fs::metadata(path).map_err(|error| refuse(format!("cannot be read: {error}")))?.len();
    if size > FILE_BYTES_MAX {
        return Err(refuse(format!("has {size} bytes; a configuration has at most {FILE_BYTES_MAX}")));
    }
    let bytes = std::fs::read(path).map_err(|error| refuse(format!("cannot be read: {error}")))?;
    String::from_utf8(bytes).map_err(|error| {
        let line = error
            .as_bytes()
            .iter()
            .take(error.utf8_error().valid_up_to())
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        refuse(format!("not UTF-8 text in line {line}"))
    })
}
