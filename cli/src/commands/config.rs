//! `farquorum config`: check, show, explain.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use farquorum_config::{Explanation, Loaded, load};
use serde::Serialize;
use serde_json::json;

use crate::args::Global;
use crate::failure::Failure;
use crate::output::{self, Format, Show, write_line};

/// `farquorum config`
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check the configuration; every problem at once, exit code 2 when there is one
    Check,
    /// Print the effective configuration, defaults and derived values filled in
    Show,
    /// What a key means, what is allowed, its value and where it came from
    Explain {
        /// Such as raft.heartbeat_ms or nodes.id
        key: String,
    },
    /// List every key
    Keys,
}

/// Runs a verb.
pub(crate) fn run(global: &Global, args: &ConfigArgs) -> Result<ExitCode, Failure> {
    if let Verb::Keys = args.verb {
        return keys(global);
    }
    let loaded = loaded(global)?;
    match &args.verb {
        Verb::Check => {
            let config = &loaded.config;
            let (nodes, workers, clouds) = (config.nodes.len(), config.workers.len(), config.clouds.len());
            let file = global.sources().file.map(|file| file.display().to_string());
            output::print(global.output, &Checked { file, nodes, workers, clouds })?;
        }
        Verb::Show if global.output == Format::Table => write_line(loaded.to_toml().trim_end())?,
        Verb::Show => output::print(global.output, &Effective(&loaded.config))?,
        Verb::Explain { key } => {
            let explanation = loaded.explain(key).map_err(Failure::usage)?;
            output::print(global.output, &Explained(&explanation))?;
        }
        Verb::Keys => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Loads the configuration; warnings go to standard error.
pub(crate) fn loaded(global: &Global) -> Result<Loaded, Failure> {
    let loaded = load(&global.sources()).map_err(Failure::usage)?;
    for warning in &loaded.warnings {
        crate::output::say_aside(&format!("warning: {warning}"));
    }
    Ok(loaded)
}

/// A configuration without a problem.
#[derive(Serialize)]
struct Checked {
    /// None for the built-in one.
    file: Option<String>,
    nodes: usize,
    workers: usize,
    clouds: usize,
}

impl Show for Checked {
    fn table(&self) -> String {
        let Self { file, nodes, workers, clouds } = self;
        let built_in = "the built-in configuration: there is no farquorum.toml here";
        let from = file.as_deref().unwrap_or(built_in);
        format!("ok: {nodes} nodes and {workers} workers in {clouds} clouds ({from})")
    }
}

/// What is known about a key.
struct Explained<'a>(&'a Explanation);

impl Serialize for Explained<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = |value: &farquorum_config::Explained| {
            json!({
                "path": value.path,
                "host": value.host,
                "value": value.value,
                "origin": value.origin.to_string(),
            })
        };
        let Explanation { key, meaning, allowed, default, variables, values } = self.0;
        json!({
            "key": key,
            "meaning": meaning,
            "allowed": allowed,
            "default": default,
            "variables": variables,
            "values": values.iter().map(value).collect::<Vec<_>>(),
        })
        .serialize(serializer)
    }
}

impl Show for Explained<'_> {
    fn table(&self) -> String {
        self.0.to_string().trim_end().to_owned()
    }
}

#[derive(Serialize)]
struct Effective<'a>(&'a farquorum_config::Config);

impl Show for Effective<'_> {
    fn table(&self) -> String {
        String::new()
    }
}

#[derive(Serialize)]
struct KeyRow {
    key: &'static str,
    meaning: &'static str,
}

#[derive(Serialize)]
struct Keys {
    keys: Vec<KeyRow>,
}

impl Show for Keys {
    fn table(&self) -> String {
        output::rows(
            ["KEY", "MEANING"],
            self.keys.iter().map(|row| [row.key.to_owned(), row.meaning.to_owned()]),
        )
    }
}

fn keys(global: &Global) -> Result<ExitCode, Failure> {
    let row = |key: &farquorum_config::Key| KeyRow { key: key.name, meaning: key.meaning };
    output::print(global.output, &Keys { keys: farquorum_config::keys().iter().map(row).collect() })?;
    Ok(ExitCode::SUCCESS)
}
