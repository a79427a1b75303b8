//! What must be on disk before the simulation starts: configuration, authorities and certificates, credentials, the
//! context file.

use farquorum_config::{Config, Detours, Loaded, write_whole};

use super::folder::Folder;
use super::report::HostPlan;
use super::up::UpArgs;
use crate::args::Global;
use crate::failure::{Failure, Kind};
use crate::{output, paths};

/// Loads and checks the configuration; warnings go to standard error.
pub(crate) fn configuration(global: &Global, args: &UpArgs) -> Result<Loaded, Failure> {
    let mut sources = global.sources();
    sources.topology.clone_from(&args.topology);
    sources.preset.clone_from(&args.preset);
    sources.overrides.extend(args.backend.iter().map(|name| ("lab.backend".to_owned(), name.clone())));
    // The store of a simulation is its own, wherever the deployment has its objects, and speaks plain HTTP.
    for (key, value) in [("storage.service", "s3"), ("storage.tls", "false")] {
        sources.overrides.push((key.to_owned(), value.to_owned()));
    }
    let loaded = farquorum_config::load(&sources).map_err(Failure::usage)?;
    for warning in &loaded.warnings {
        output::say_aside(&format!("warning: {warning}"));
    }
    Ok(loaded)
}

/// Refuses a folder on a disk that cannot carry a log, before anything is written into it.
pub(crate) fn check_folder(folder: &Folder, config: &Config) -> Result<(), Failure> {
    // The check makes a folder that is missing, and would not hand it to the caller.
    paths::make_folder(&folder.root)?;
    farquorum_node::storage::check_data_dir(&folder.root, config.limits.free_bytes_min)
        .map_err(|error| Failure::new(Kind::Refused, error))
        .map_err(|failure| failure.hint("FARQUORUM_STATE_DIR=FOLDER on another disk"))
}

/// Makes everything that is not there yet. Under sudo it is the caller's, so that commands without sudo reach the
/// cluster; the control socket is not, since who talks to the supervisor of root runs programs as root.
pub(crate) fn folder(
    folder: &Folder,
    loaded: &Loaded,
    name: &str,
    hosts: &[HostPlan],
) -> Result<(), Failure> {
    let config = &loaded.config;
    folder.create()?;
    same_members(folder, loaded)?;
    crate::commands::certs::ensure_all(&folder.certs(), config)?;
    super::context::write(folder, config, name, hosts)?;
    paths::give_to_caller(&folder.root)
}

/// Writes a configuration for each host's process: the common one, and the process's own detours.
pub(crate) fn host_configs(
    folder: &Folder,
    loaded: &Loaded,
    detours: &[(String, Detours)],
) -> Result<(), Failure> {
    let common = loaded.to_toml();
    for (host, detours) in detours {
        let file = folder.host_config(host);
        file.parent().map_or(Ok(()), paths::make_folder)?;
        write_whole(&file, 0o644, format!("{common}{}", detours.to_toml()))
            .map_err(|error| Failure::failed(format!("cannot write {}: {error}", file.display())))?;
    }
    paths::give_to_caller(&folder.root)
}

/// Makes the object store's credentials. A worker that starts before the store has begun must find them.
pub(crate) fn credentials(folder: &Folder) -> Result<(), Failure> {
    let file = folder.credentials();
    file.parent().map_or(Ok(()), paths::make_folder)?;
    farquorum_storage::Credentials::load_or_create(&file).map_err(Failure::failed)?;
    paths::give_to_caller(&file)
}

/// Data of other members cannot be continued: a node's id and its store belong together.
fn same_members(folder: &Folder, loaded: &Loaded) -> Result<(), Failure> {
    let members = |config: &Config| -> Vec<String> {
        config.nodes.iter().map(|node| format!("{} = {}", node.id, node.name)).collect()
    };
    let file = folder.config();
    if file.exists() {
        let sources = farquorum_config::Sources { file: Some(file.clone()), ..Default::default() };
        let before =
            farquorum_config::load(&sources).map(|before| members(&before.config)).unwrap_or_default();
        let now = members(&loaded.config);
        if before != now && folder.root.join("data").read_dir().is_ok_and(|mut data| data.next().is_some()) {
            return Err(Failure::usage(format!(
                "{} holds the data of other members ({}); this start has {}",
                folder.root.display(),
                before.join(", "),
                now.join(", ")
            ))
            .hint("--fresh deletes that data, another --name keeps it"));
        }
    }
    write_whole(&file, 0o644, loaded.to_toml())
        .map_err(|error| Failure::failed(format!("cannot write {}: {error}", file.display())))
}
