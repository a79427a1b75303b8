//! `farquorum render`: writes, or checks, what Terraform, compose and firewalls need from farquorum.toml. It depends on
//! the file alone: the environment is not looked at, and `--set` is refused. All files are made and judged before the
//! first is written.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use farquorum_baseline::write_file;
use farquorum_config::render::{Rendered, Source, Standing, Target, render, standing};
use farquorum_config::{Sources, load_text, read};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::args::Global;
use crate::failure::{Failure, Kind};
use crate::output::{self, Show, rows};

/// `farquorum render`
#[derive(Debug, Args)]
pub(crate) struct RenderArgs {
    /// What to render; without it, everything
    #[arg(value_enum)]
    what: Vec<What>,
    /// Folder that the files go below; without it, the folder of the configuration file
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write nothing; exit code 1 names each file that is missing, stale or edited by hand
    #[arg(long, conflicts_with = "force")]
    check: bool,
    /// Overwrite files that were edited by hand too
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// terraform/farquorum.auto.tfvars.json
    Terraform,
    /// netem/.env
    Compose,
    /// rendered/peers: name=host:port of each node
    Peers,
    /// rendered/firewall.json and .txt: who may open which port of each node
    Firewall,
    /// rendered/hosts: lines for /etc/hosts
    Hosts,
}

impl What {
    fn target(self) -> Target {
        match self {
            Self::Terraform => Target::Terraform,
            Self::Compose => Target::Compose,
            Self::Peers => Target::Peers,
            Self::Firewall => Target::Firewall,
            Self::Hosts => Target::Hosts,
        }
    }
}

/// One file and what became of it.
#[derive(Serialize)]
struct Row {
    file: PathBuf,
    state: &'static str,
}

#[derive(Serialize)]
struct Files {
    toml_sha256: String,
    files: Vec<Row>,
}

impl Show for Files {
    fn table(&self) -> String {
        rows(
            ["FILE", "STATE"],
            self.files.iter().map(|it| [it.file.display().to_string(), it.state.to_owned()]),
        )
    }
}

/// Renders, or checks what was rendered.
pub(crate) fn run(global: &Global, args: &RenderArgs) -> Result<ExitCode, Failure> {
    if let Some((key, _)) = global.set.first() {
        let message =
            format!("--set {key}: a render depends on the file alone, so that --check can tell it is stale");
        return Err(Failure::usage(message).hint(format!("write {key} into the configuration file")));
    }
    let Some(file) = global.sources().file else {
        let message = "there is no farquorum.toml here, and what is rendered names the file that it is from";
        return Err(Failure::usage(message).hint("farquorum render --config FILE"));
    };
    let text = read(&file).map_err(Failure::usage)?;
    let loaded = load_text(&text, Some(&file), &Sources::default()).map_err(Failure::usage)?;
    let sha256 = hex::encode(Sha256::digest(text.as_bytes()));
    let beside = file.parent().map(Path::to_owned).unwrap_or_default();
    let out = args.out.clone().unwrap_or(beside);
    let name = below(&file, &out);
    let targets: Vec<Target> = match args.what.as_slice() {
        [] => Target::ALL.to_vec(),
        some => some.iter().map(|what| what.target()).collect(),
    };
    let source = Source { config: &loaded.config, sha256: &sha256, file: &name };
    let rendered = render(&source, &targets).map_err(|error| match targets.as_slice() {
        [_] => Failure::usage(error),
        _ => Failure::usage(error).hint("name what you need, such as: farquorum render compose peers"),
    })?;
    let judged = judge(&rendered, &out, &sha256)?;
    if args.check {
        let again = command(global, args);
        if let Some(message) = complaint(&judged, &file) {
            return Err(Failure::failed(message).hint(again));
        }
    } else {
        refuse_edited(&judged, global, args)?;
        for one in judged.iter().filter(|one| one.standing != Standing::Current) {
            write(one)?;
        }
    }
    let state = |standing: &Standing| match standing {
        Standing::Current => "current",
        _ => "written",
    };
    let files = judged.into_iter().map(|one| Row { state: state(&one.standing), file: one.path }).collect();
    output::print(global.output, &Files { toml_sha256: sha256, files })?;
    Ok(ExitCode::SUCCESS)
}

/// The path of the configuration below the output folder, where Terraform looks for it; elsewhere its name alone.
fn below(file: &Path, out: &Path) -> String {
    // The folder of a bare file name is "", which has no absolute form.
    let named = |path: &Path| if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() };
    let whole = |path: &Path| std::path::absolute(named(path)).unwrap_or_else(|_| path.to_owned());
    let (file, out) = (whole(file), whole(out));
    let name = file.file_name().map(Path::new).unwrap_or(&file);
    file.strip_prefix(&out).unwrap_or(name).to_string_lossy().into_owned()
}

/// A file, where it goes, and what is there.
struct Judged<'a> {
    rendered: &'a Rendered,
    path: PathBuf,
    standing: Standing,
}

fn judge<'a>(rendered: &'a [Rendered], out: &Path, sha256: &str) -> Result<Vec<Judged<'a>>, Failure> {
    let one = |rendered: &'a Rendered| {
        let path = out.join(rendered.path);
        let found = match std::fs::read(&path) {
            // Not UTF-8: nothing that was rendered.
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(Failure::failed(format!("{} cannot be read: {error}", path.display()))),
        };
        let standing = standing(rendered, sha256, found.as_deref());
        Ok(Judged { rendered, path, standing })
    };
    rendered.iter().map(one).collect()
}

/// What `--check` says; none when all is current.
fn complaint(judged: &[Judged<'_>], toml: &Path) -> Option<String> {
    let toml = toml.display();
    let line = |one: &Judged<'_>| {
        let path = one.path.display();
        match &one.standing {
            Standing::Current => None,
            Standing::Missing => Some(format!("{path} is missing")),
            Standing::Stale { sha256 } => {
                Some(format!("{path} is stale: it was made when the SHA-256 of {toml} was {sha256}"))
            }
            Standing::Edited { lines } => Some(format!(
                "{path} was edited by hand, or made by another version: {toml} has not changed since\n{lines}"
            )),
            Standing::Foreign => {
                Some(format!("{path} was not made by farquorum render: it carries no SHA-256"))
            }
        }
    };
    let lines: Vec<String> = judged.iter().filter_map(line).collect();
    if lines.is_empty() { None } else { Some(lines.join("\nerror: ")) }
}

/// The command that writes what was checked.
fn command(global: &Global, args: &RenderArgs) -> String {
    let mut words = vec!["farquorum render".to_owned()];
    words.extend(global.config.iter().map(|file| format!("--config {}", file.display())));
    words.extend(args.out.iter().map(|folder| format!("--out {}", folder.display())));
    words.extend(args.what.iter().map(|what| what.target().name().to_owned()));
    words.join(" ")
}

fn refuse_edited(judged: &[Judged<'_>], global: &Global, args: &RenderArgs) -> Result<(), Failure> {
    let line = |one: &Judged<'_>| {
        let path = one.path.display();
        match &one.standing {
            Standing::Edited { lines } => Some(format!("{path} was edited by hand:\n{lines}")),
            Standing::Foreign => Some(format!("{path} was not made by farquorum render")),
            Standing::Current | Standing::Missing | Standing::Stale { .. } => None,
        }
    };
    let lines: Vec<String> = judged.iter().filter_map(line).collect();
    if args.force || lines.is_empty() {
        return Ok(());
    }
    let message = format!("nothing was written: {}", lines.join("\nerror: "));
    let again = command(global, args);
    let hint = format!("put the change into the configuration file or the environment, then {again} --force");
    Err(Failure::new(Kind::Refused, message).hint(hint))
}

fn write(one: &Judged<'_>) -> Result<(), Failure> {
    if let Some(folder) = one.path.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|error| Failure::failed(format!("{} cannot be made: {error}", folder.display())))?;
    }
    write_file(&one.path, &one.rendered.text).map_err(Failure::failed)
}
