//! `farquorum certs`: authorities and certificates, and what the simulation makes for itself.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use farquorum_config::{Config, Node};
use farquorum_tls::{AuthorityKind, IssueRequest, Layout, Role, TlsError};

use crate::failure::{Failure, Kind};
use crate::output::write_line;

/// Name of the certificate that the simulation's own commands use.
pub(crate) const ADMIN: &str = "admin";

/// Validity in days when none is asked for: a quarter, so that renewal is a habit.
const DAYS: u32 = 90;

/// Validity in days of the simulation's certificates: nobody renews a simulation.
const SIM_DAYS: u32 = 825;

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
    /// Print what stands in a certificate
    Show {
        /// PEM file
        file: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
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
pub(crate) fn run(args: &CertsArgs) -> Result<ExitCode, Failure> {
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

/// The simulation's authorities, made when they are missing.
pub(crate) fn ensure_authorities(dir: &Path, cluster: &str) -> Result<(), Failure> {
    if Layout::new(dir).authority_certificate(AuthorityKind::Peer).exists() {
        return Ok(());
    }
    farquorum_tls::init(dir, cluster).map_err(Failure::failed)
}

/// A node's certificate, made when it is missing.
pub(crate) fn ensure_node(dir: &Path, node: &Node) -> Result<(), Failure> {
    ensure(dir, Role::Node, &node.name, std::slice::from_ref(&node.address))
}

/// Certificates of everybody in the configuration and of the operator, made when they are missing.
pub(crate) fn ensure_all(dir: &Path, config: &Config) -> Result<(), Failure> {
    ensure_authorities(dir, &config.cluster.name)?;
    config.nodes.iter().try_for_each(|node| ensure_node(dir, node))?;
    config.workers.iter().try_for_each(|worker| ensure(dir, Role::Worker, &worker.name, &[]))?;
    ensure(dir, Role::Admin, ADMIN, &[])
}

fn ensure(dir: &Path, role: Role, name: &str, sans: &[String]) -> Result<(), Failure> {
    if Layout::new(dir).certificate(name).exists() {
        return Ok(());
    }
    let request = IssueRequest { role, name, sans, days: SIM_DAYS, force: false };
    farquorum_tls::issue(dir, &request).map(|_| ()).map_err(Failure::failed)
}
