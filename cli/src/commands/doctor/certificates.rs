//! This host's certificate: there, for its key, for this name and cluster, and for how long.

use std::path::Path;
use std::time::Duration;

use farquorum_config::Config;
use farquorum_tls::{CertInfo, ClientFiles, ClientTls, Layout, Role};

use super::report::{Check, Group};
use crate::commands::certs::{unix_now, until_due};

/// Looks; gives what this host calls others with, when it is usable.
pub(super) fn look(config: &Config, folder: &Path, name: &str, checks: &mut Vec<Check>) -> Option<ClientTls> {
    let mut group = Group::new("certificates", checks);
    let path = Layout::new(folder).certificate(name);
    let info = match farquorum_tls::show(&path) {
        Ok(info) => info,
        Err(error) => {
            group.failed(
                error.to_string(),
                format!("farquorum certs request --name {name} here, then farquorum certs sign where the authorities are"),
            );
            return None;
        }
    };
    identity(config, name, &info, &mut group);
    validity(name, &info, unix_now(), &mut group);
    match ClientTls::new(&config.cluster.name, ClientFiles::in_dir(folder, name)) {
        Ok(tls) => {
            group.ok("certificate, key and authorities fit together");
            Some(tls)
        }
        Err(error) => {
            group.failed(error.to_string(), "farquorum certs install puts all of them there at once");
            None
        }
    }
}

fn identity(config: &Config, name: &str, info: &CertInfo, group: &mut Group<'_>) {
    let node = config.node(name);
    let role = if node.is_some() { Role::Node } else { Role::Worker };
    let expected = format!("spiffe://{}/{role}/{name}", config.cluster.name);
    let found = info.identity.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
    let hint = format!("farquorum certs request --name {name}, signed anew");
    if found != expected {
        group.failed(format!("the certificate is for {found}, not for {expected}"), hint);
        return;
    }
    match node.filter(|node| !info.sans.contains(&node.address) && node.address != node.name) {
        Some(node) => {
            group.warning(
                format!("the certificate of {expected} does not name its address {}", node.address),
                hint,
            );
        }
        None => group.ok(format!("the certificate is for {expected}")),
    }
}

fn validity(name: &str, info: &CertInfo, now: i64, group: &mut Group<'_>) {
    let hint = format!("farquorum certs renew --name {name}, with --watch for the next ones too");
    let left = info.not_after.saturating_sub(now);
    if now < info.not_before {
        group.failed(
            "the certificate is not valid yet",
            "set the clock of this host, or of the one that signed",
        );
    } else if left <= 0 {
        group.failed(format!("the certificate ended {} h ago", left.saturating_neg() / 3600), hint);
    } else if until_due(info, now) == Duration::ZERO {
        group.warning(format!("the certificate ends in {} h", left / 3600), hint);
    } else {
        group.ok(format!("the certificate holds for another {} h", left / 3600));
    }
}
