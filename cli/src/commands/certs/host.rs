//! A host's first certificate: `request` and `install` on the host, `sign` where the authorities are. A pipe is enough:
//!
//! ```text
//! ssh HOST farquorum certs request --name cp-aws-1 | farquorum certs sign - | ssh HOST farquorum certs install
//! ```

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use farquorum_config::Config;
use farquorum_tls::{Holder, Identity, Role, SigningRequest, Terms, TlsError};

use super::{DAYS, RoleArg, names_for, san};
use crate::args::Global;
use crate::commands::config::loaded;
use crate::failure::{Failure, Kind};
use crate::output::{say_aside, write_line};

/// Longest request or answer that is read: real ones have less than 8 KiB.
const TEXT_MAX: u64 = 256 * 1024;

/// `farquorum certs request`
#[derive(Debug, Args)]
pub(super) struct RequestArgs {
    /// Folder for the key, made when it is missing
    #[arg(long, default_value = "certs")]
    dir: PathBuf,
    /// Name of the holder: of the node, of the worker
    #[arg(long)]
    name: String,
    /// What the holder may do; without it, what the configuration has under that name
    #[arg(long)]
    role: Option<RoleArg>,
    /// DNS name or IP address by which a node is reached, besides its address in the configuration (repeatable)
    #[arg(long = "san", value_name = "NAME", value_parser = san)]
    sans: Vec<String>,
    /// Name of the cluster; without it, the configuration's
    #[arg(long)]
    cluster: Option<String>,
}

/// `farquorum certs sign`
#[derive(Debug, Args)]
pub(super) struct SignArgs {
    /// File with the request, - for standard input
    file: PathBuf,
    /// Folder with the authorities
    #[arg(long, default_value = "certs")]
    dir: PathBuf,
    /// What the holder may do, when the configuration has nobody of that name and role
    #[arg(long)]
    role: Option<RoleArg>,
    /// DNS name or IP address that the holder may have, besides its address in the configuration (repeatable)
    #[arg(long = "san", value_name = "NAME", value_parser = san)]
    sans: Vec<String>,
    /// Fingerprint that the key must have, as `certs request` said it on the host
    #[arg(long, value_name = "SHA256")]
    fingerprint: Option<String>,
    /// Validity in days
    #[arg(long, default_value_t = DAYS, value_parser = clap::value_parser!(u32).range(1..))]
    days: u32,
    /// Sign another key than the one that the holder's certificate has: the host was made anew
    #[arg(long)]
    force: bool,
}

/// `farquorum certs install`
#[derive(Debug, Args)]
pub(super) struct InstallArgs {
    /// File with what `certs sign` printed, - for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Folder with the key
    #[arg(long, default_value = "certs")]
    dir: PathBuf,
    /// Trust other authorities than the ones that are there
    #[arg(long)]
    force: bool,
}

/// Makes the key when there is none, and prints the request.
pub(super) fn request(global: &Global, args: &RequestArgs) -> Result<(), Failure> {
    let config = loaded(global)?.config;
    let planned = planned(&config, &args.name);
    let role = match (args.role, &planned) {
        (Some(role), _) => role.into(),
        (None, Some((role, _))) => *role,
        (None, None) => {
            let message =
                format!("--name {:?} is neither a node nor a worker of the configuration", args.name);
            return Err(Failure::usage(message)
                .hint("--role names what else it may be; farquorum config show lists both"));
        }
    };
    names_for(role, &args.sans)?;
    let address = planned.filter(|(planned, _)| *planned == role).and_then(|(_, address)| address);
    let sans: Vec<String> = address.into_iter().chain(args.sans.iter().cloned()).collect();
    let cluster = args.cluster.as_deref().unwrap_or(&config.cluster.name);
    let holder = Holder { cluster, role, name: &args.name, sans: &sans };
    let asked = farquorum_tls::request(&args.dir, &holder).map_err(Failure::failed)?;
    say_aside(&format!(
        "{}\n  key         {}\n  fingerprint {}",
        asked.identity,
        asked.key.display(),
        asked.fingerprint
    ));
    write_line(asked.pem.trim_end())
}

/// Signs a request, and prints what the host installs.
pub(super) fn sign(global: &Global, args: &SignArgs) -> Result<(), Failure> {
    let config = loaded(global)?.config;
    let asked = SigningRequest::parse(&text(&args.file)?).map_err(refusal)?;
    if let Some(expected) = &args.fingerprint
        && !expected.eq_ignore_ascii_case(&asked.fingerprint)
    {
        let message = format!("the key of {} has the fingerprint {}", asked.identity, asked.fingerprint);
        return Err(Failure::new(Kind::Refused, format!("{message}, not {expected}")));
    }
    let planned = planned(&config, &asked.identity.name);
    require_planned(&asked.identity, planned.as_ref().map(|(role, _)| *role), args.role.map(Role::from))?;
    let address = planned.and_then(|(_, address)| address);
    let allowed: Vec<String> = address.into_iter().chain(args.sans.iter().cloned()).collect();
    let terms = Terms { days: args.days, allowed: &allowed, force: args.force };
    let signed = farquorum_tls::sign(&args.dir, &asked, &terms).map_err(refusal)?;
    say_aside(&format!(
        "{} {} for {} days\n  certificate {}\n  fingerprint {}",
        if signed.renewed { "renewed" } else { "signed" },
        signed.identity,
        args.days,
        signed.certificate.display(),
        asked.fingerprint
    ));
    let bundle = farquorum_tls::bundle(&args.dir, &signed.identity.name).map_err(Failure::failed)?;
    write_line(bundle.trim_end())
}

/// Installs what was signed.
pub(super) fn install(args: &InstallArgs) -> Result<(), Failure> {
    let installed = farquorum_tls::install(&args.dir, &text(&args.file)?, args.force).map_err(refusal)?;
    write_line(&format!(
        "installed {}\n  certificate {}",
        installed.identity,
        installed.certificate.display()
    ))
}

/// What the configuration has under a name: the role, and a node's address.
fn planned(config: &Config, name: &str) -> Option<(Role, Option<String>)> {
    if let Some(node) = config.node(name) {
        return Some((Role::Node, Some(node.address.clone())));
    }
    config.worker(name).map(|_| (Role::Worker, None))
}

/// A host asks for what it likes; it gets the role that the configuration or the operator gives it.
fn require_planned(asked: &Identity, planned: Option<Role>, given: Option<Role>) -> Result<(), Failure> {
    let role = asked.role;
    if given.or(planned) == Some(role) {
        return Ok(());
    }
    let known = match (given, planned) {
        (Some(given), _) => format!("--role says {given}"),
        (None, Some(planned)) => format!("the configuration has it as {planned}"),
        (None, None) => "the configuration has nobody of that name".to_owned(),
    };
    Err(Failure::new(Kind::Refused, format!("{asked} asks for the role {role}; {known}"))
        .hint(format!("--role {role} grants it")))
}

/// A second key needs a decision; so does everything else that a request asks for too much.
fn refusal(error: TlsError) -> Failure {
    match error {
        TlsError::Exists { path } => Failure::new(
            Kind::Refused,
            format!("{} is the certificate of another key of the same name", path.display()),
        )
        .hint("--force, when the host was made anew; then compare the fingerprint with the host's"),
        TlsError::Request(_) | TlsError::Bundle(_) | TlsError::Name(_) => Failure::new(Kind::Refused, error),
        other => Failure::failed(other),
    }
}

/// A file's text, or that of standard input.
fn text(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(TEXT_MAX).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(TEXT_MAX).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    Ok(text)
}
