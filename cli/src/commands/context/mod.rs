//! `farquorum context`: the clusters that this machine knows, and which of them commands talk to.

mod import;
mod outputs;
mod store;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use farquorum_client::{Context, ContextError, Contexts, Place};
use serde::Serialize;

use super::cluster::{no_context, place};
use crate::args::Global;
use crate::failure::Failure;
use crate::output::{self, Show, rows, write_line};
use crate::paths;

/// `farquorum context`
#[derive(Debug, Args)]
pub(crate) struct ContextArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a context of what `terraform output -json` prints
    Import(import::Import),
    /// List the imported contexts and the simulations
    List,
    /// Let commands talk to this cluster when they name none
    Use {
        /// Such as prod or sim:default
        name: Option<String>,
        /// No context: the running simulation again
        #[arg(long, conflicts_with = "name")]
        none: bool,
    },
    /// Print a context: nodes, addresses, certificates
    Show {
        /// Without it, the one that commands talk to
        name: Option<PathBuf>,
    },
}

/// Runs a verb.
pub(crate) fn run(global: &Global, args: &ContextArgs) -> Result<ExitCode, Failure> {
    let contexts = || paths::state_dir().map(|dir| Contexts::new(&dir));
    match &args.verb {
        Verb::Import(args) => {
            let place = import::import(global, &contexts()?, args)?;
            write_line(&format!(
                "context {} is in {}\nfarquorum context use {0} makes commands talk to it",
                place.name,
                place.path.display()
            ))?;
        }
        Verb::List => output::print(global.output, &list(&contexts()?)?)?,
        Verb::Use { name: None, none: false } => {
            let hint = "farquorum context list; --none goes back to the running simulation";
            return Err(Failure::usage("context use: the name of a context is missing").hint(hint));
        }
        Verb::Use { name, .. } => choose(&contexts()?, name.as_deref())?,
        Verb::Show { name } => {
            let context = name.clone().or_else(|| global.context.clone());
            let place = place(&Global { context, ..global.clone() })?;
            let context = place.load().map_err(no_context)?;
            output::print(global.output, &Shown { name: place.name, file: place.path, context })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn choose(contexts: &Contexts, name: Option<&str>) -> Result<(), Failure> {
    paths::make_folder(&contexts.folder())?;
    contexts.set_in_use(name).map_err(Failure::usage)?;
    let Some(name) = name else {
        return write_line("no context is in use; commands talk to the running simulation");
    };
    paths::give_to_caller(&contexts.in_use_file())?;
    write_line(&format!("commands talk to {name}"))
}

fn list(contexts: &Contexts) -> Result<Listed, Failure> {
    // None runs, or several do: nothing is chosen, which is no reason not to list them.
    let chosen = match contexts.chosen() {
        Ok(place) => Some(place.name),
        Err(ContextError::None { .. } | ContextError::Several { .. } | ContextError::Gone { .. }) => None,
        Err(error) => return Err(no_context(error)),
    };
    let row = |place: Place| {
        let loaded = place.load();
        Row {
            chosen: chosen.as_ref() == Some(&place.name),
            cluster: loaded.as_ref().ok().map(|context| context.cluster.clone()),
            nodes: loaded.as_ref().ok().map(|context| context.nodes.len()),
            problem: loaded.err().map(|error| error.to_string()),
            name: place.name,
            file: place.path,
        }
    };
    Ok(Listed { contexts: contexts.all().into_iter().map(row).collect() })
}

#[derive(Serialize)]
struct Listed {
    contexts: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    chosen: bool,
    cluster: Option<String>,
    nodes: Option<usize>,
    file: PathBuf,
    problem: Option<String>,
}

impl Show for Listed {
    fn table(&self) -> String {
        let absent = || "-".to_owned();
        rows(
            ["NAME", "CHOSEN", "CLUSTER", "NODES", "FILE"],
            self.contexts.iter().map(|row| {
                let chosen = if row.chosen { "*" } else { "" };
                let cluster = row.cluster.clone().unwrap_or_else(absent);
                let nodes = row.nodes.map_or_else(absent, |nodes| nodes.to_string());
                let problem = row.problem.as_ref().map_or("", |_| " (cannot be used)");
                [
                    row.name.clone(),
                    chosen.to_owned(),
                    cluster,
                    nodes,
                    format!("{}{problem}", row.file.display()),
                ]
            }),
        )
    }
}

#[derive(Serialize)]
struct Shown {
    name: String,
    file: PathBuf,
    context: Context,
}

impl Show for Shown {
    fn table(&self) -> String {
        let Context { cluster, nodes, tls, storage, .. } = &self.context;
        let objects = storage.as_ref().map_or("none", |storage| &storage.url);
        let head = format!(
            "name         {}\ncluster      {cluster}\nfile         {}\ncertificate  {}\nkey          {}\nauthority    {}\n\
             objects      {objects}",
            self.name,
            self.file.display(),
            tls.cert.display(),
            tls.key.display(),
            tls.ca.display()
        );
        let nodes = rows(
            ["ID", "NAME", "CLOUD", "GRPC", "HTTP"],
            nodes.iter().map(|node| {
                [
                    node.id.to_string(),
                    node.name.clone(),
                    node.cloud.clone(),
                    node.grpc.clone(),
                    node.http.clone(),
                ]
            }),
        );
        format!("{head}\n\n{nodes}")
    }
}
