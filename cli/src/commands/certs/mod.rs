//! `farquorum certs`: authorities and certificates; keys that are made on hosts and signed elsewhere; renewal.

mod ensure;
mod host;
mod renew;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use clap::{Args, Subcommand, ValueEnum};
use farquorum_baseline::rfc3339;
use farquorum_tls::{IssueRequest, Role, TlsError};
use serde::Serialize;

pub(crate) use self::ensure::ensure_all;
pub(crate) use self::renew::{unix_now, until_due};
use crate::args::Global;
use crate::failure::{Failure, Kind};
use crate::output::{self, Show, write_line};

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
        /// DNS name or IP address by which a node is reached (repeatable); only for a node
        #[arg(long = "san", value_name = "NAME", value_parser = san)]
        sans: Vec<String>,
        /// Validity in days
        #[arg(long, default_value_t = DAYS, value_parser = clap::value_parser!(u32).range(1..))]
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
            farquorum_tls::init(dir, cluster).map_err(|error| {
                refusal(
                    error,
                    "another --dir; certificates of the authorities that are there hold as long as these do",
                )
            })?;
            write_line(&format!("made the authorities of {cluster} in {}", dir.join("ca").display()))?;
        }
        Verb::Issue { dir, role, name, sans, days, force } => {
            names_for((*role).into(), sans)?;
            let request = IssueRequest { role: (*role).into(), name, sans, days: *days, force: *force };
            let issued =
                farquorum_tls::issue(dir, &request).map_err(|error| refusal(error, "--force replaces it"))?;
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
        Verb::Show { file } => show(global, file)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What is there is not replaced: a conflict. What is asked for, or read, in vain is wrong usage.
fn refusal(error: TlsError, hint: &str) -> Failure {
    match error {
        TlsError::Exists { path } => {
            let message = format!("{} is already there and is not overwritten", path.display());
            Failure::new(Kind::Refused, message).hint(hint)
        }
        TlsError::Read { .. } | TlsError::Content { .. } | TlsError::Request(_) | TlsError::Name(_) => {
            Failure::usage(error)
        }
        _ => Failure::failed(error),
    }
}

/// A name by which a node is reached, as a flag gives it: an IP address, or a DNS name (RFC 1123, section 2.1).
fn san(text: &str) -> Result<String, String> {
    let label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_dns_name = text.len() <= 253 && text.split('.').all(label);
    if text.parse::<std::net::IpAddr>().is_ok() || is_dns_name {
        return Ok(text.to_owned());
    }
    Err("must be an IP address, or a DNS name: letters, digits and '-', with dots between".to_owned())
}

/// Only nodes are reached by a name.
fn names_for(role: Role, sans: &[String]) -> Result<(), Failure> {
    if role == Role::Node || sans.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(format!("--san is for nodes: nobody connects to the holder of role {role} by a name")))
}

/// What stands in a certificate.
#[derive(Serialize)]
struct Certificate {
    /// None for an authority.
    identity: Option<String>,
    subject: String,
    issuer: String,
    serial: String,
    /// RFC 3339, as the next.
    not_before: String,
    not_after: String,
    names: Vec<String>,
    /// SHA-256.
    fingerprint: String,
}

impl Show for Certificate {
    fn table(&self) -> String {
        format!(
            "identity     {}\nsubject      {}\nissuer       {}\nserial       {}\nvalid        {} to {}\nnames        {}\nfingerprint  {}",
            self.identity.as_deref().unwrap_or("none"),
            self.subject,
            self.issuer,
            self.serial,
            self.not_before,
            self.not_after,
            self.names.join(", "),
            self.fingerprint
        )
    }
}

fn show(global: &Global, file: &Path) -> Result<(), Failure> {
    let info = farquorum_tls::show(file).map_err(|error| refusal(error, ""))?;
    // A certificate of a time before 1970 is one of the epoch's start.
    let date = |seconds: i64| rfc3339(UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
    output::print(
        global.output,
        &Certificate {
            identity: info.identity.map(|identity| identity.to_string()),
            subject: info.subject,
            issuer: info.issuer,
            serial: info.serial,
            not_before: date(info.not_before),
            not_after: date(info.not_after),
            names: info.sans,
            fingerprint: info.fingerprint,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_an_address_or_a_dns_name() {
        for good in ["192.0.2.1", "2001:db8::1", "cp-aws-1", "a.example.org", "1.example"] {
            assert_eq!(san(good).as_deref(), Ok(good));
        }
        for bad in ["", "bad name!", "-a", "a-", "a..b", "a_b", "example.org.", &"x".repeat(64)] {
            assert!(san(bad).is_err(), "{bad:?}");
        }
    }
}
