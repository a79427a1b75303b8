//! `farquorum certs`: authorities and certificates; keys that are made on hosts and signed elsewhere; renewal.

mod ensure;
mod host;
mod renew;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use farquorum_tls::{IssueRequest, Role, TlsError};

pub(crate) use self::ensure::ensure_all;
pub(crate) use self::renew::{unix_now, until_due};
use crate::args::Global;
use crate::failure::{Failure, Kind};
use crate::output::write_line;

/// Name of the certificate that the simulation's own commands use.
pub(crate) const ADMIN: &str = "admin";

/// Validity in days when none is asked for: a quarter, so that renewal is a habit.
const DAYS: u32 = 90;

/// `farquorum certs`
#[derive(Debug, Args)]
pub(crate) struct CertsArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make the two authorities of a cluster: one signs nodes, one everybody else
    Init {
        /// Folder
        #[arg(long, default_value = "certs")]
        dir: PathBuf,
        /// Name of the cluster
        #[arg(long, default_value = "farquorum")]
        cluster: String,
    },
    /// Issue a certificate and key
    Issue {
        /// Folder with the authorities
        #[arg(long, default_value = "certs")]
        dir: PathBuf,
        /// What the holder may do
        #[arg(long)]
        role: RoleArg,
        /// Name of the holder: of the node, of the worker
        #[arg(long)]
        name: String,
        /// DNS name or IP address by which a node is reached (repeatable)
        #[arg(long = "san", value_name = "NAME")]
        sans: Vec<String>,
        /// Validity in days
        #[arg(long, default_value_t = DAYS)]
        days: u32,
        /// Replace a certificate that is there
        #[arg(long)]
        force: bool,
    },
    /// On a host: make its key when there is none, and print a signing request for it
    Request(host::RequestArgs),
    /// Where the authorities are: sign a request, and print what the host installs
    Sign(host::SignArgs),
    /// On a host: install what `certs sign` printed
    Install(host::InstallArgs),
    /// Renew certificates that have used two thirds of their time
    Renew(renew::RenewArgs),
    /// Print what stands in a certificate
    Show {
        /// PEM file
        file: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RoleArg {
    Node,
    Worker,
    Client,
    Admin,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Node => Self::Node,
            RoleArg::Worker => Self::Worker,
            RoleArg::Client => Self::Client,
            RoleArg::Admin => Self::Admin,
        }
    }
}

/// Runs a verb.
pub(crate) fn run(global: &Global, args: &CertsArgs) -> Result<ExitCode, Failure> {
    match &args.verb {
        Verb::Init { dir, cluster } => {
            farquorum_tls::init(dir, cluster).map_err(refusal)?;
            write_line(&format!("made the authorities of {cluster} in {}", dir.join("ca").display()))?;
        }
        Verb::Issue { dir, role, name, sans, days, force } => {
            let request = IssueRequest { role: (*role).into(), name, sans, days: *days, force: *force };
            let issued = farquorum_tls::issue(dir, &request).map_err(refusal).map_err(|failure| {
                if failure.kind() == Kind::Refused { failure.hint("--force replaces it") } else { failure }
            })?;
            write_line(&format!(
                "{}\n  certificate {}\n  key         {}",
                issued.identity,
                issued.certificate.display(),
                issued.key.display()
            ))?;
        }
        Verb::Request(args) => host::request(global, args)?,
        Verb::Sign(args) => host::sign(global, args)?,
        Verb::Install(args) => host::install(args)?,
        Verb::Renew(args) => return renew::run(args),
        Verb::Show { file } => show(file)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What is there is not replaced: a conflict. Everything else went wrong.
fn refusal(error: TlsError) -> Failure {
    let kind = if matches!(error, TlsError::Exists { .. }) { Kind::Refused } else { Kind::Failed };
    Failure::new(kind, error)
}

fn show(file: &Path) -> Result<(), Failure> {
    let info = farquorum_tls::show(file).map_err(Failure::failed)?;
    let identity = info.identity.map_or_else(|| "none".to_owned(), |identity| identity.to_string());
    write_line(&format!(
        "identity     {identity}\nsubject      {}\nissuer       {}\nserial       {}\nvalid        {} to {} (seconds since 1970)\nnames        {}\nfingerprint  {}",
        info.subject,
        info.issuer,
        info.serial,
        info.not_before,
        info.not_after,
        info.sans.join(", "),
        info.fingerprint
    ))
}
