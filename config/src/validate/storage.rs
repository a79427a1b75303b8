//! Where objects are, and where nodes keep their log.

use std::collections::BTreeMap;

use super::Derived;
use super::hosts::place;
use crate::finding::Report;
use crate::keys::Form;
use crate::raw::{Raw, RawStorage};
use crate::text::quoted;
use crate::types::{Cloud, LogBackend, Ports, Provider, Storage, StorageService};

/// What Amazon's own tools sign with when nobody names a region.
const REGION: &str = "us-east-1";

/// The object store, and where nodes keep their log.
pub(super) fn storage(
    raw: &Raw,
    ports: &Ports,
    clouds: &BTreeMap<String, Cloud>,
    report: &mut Report,
    derived: &mut Derived,
) -> Storage {
    let storage = &raw.storage;
    place(raw, storage.cloud.as_deref(), storage.address.as_deref(), "storage", report);
    let service = service(storage, clouds, report);
    let (region, from) = region(service, clouds);
    certificate_unused(storage, service, report);
    Storage {
        service,
        bucket: storage.bucket.clone().unwrap_or_default(),
        account: storage.account.clone(),
        region: derived.or(storage.region.clone(), "storage.region", region, &from),
        cloud: storage.cloud.clone().unwrap_or_default(),
        address: storage.address.clone().unwrap_or_default(),
        port: derived.or(storage.port, "storage.port", ports.s3, "ports.s3"),
        tls: derived.or(storage.tls, "storage.tls", storage.ca.is_some(), "storage.ca"),
        ca: storage.ca.clone(),
        log: log(storage, report),
    }
}

/// What says how the server at `storage.address` is trusted says nothing of a cloud's own service.
fn certificate_unused(storage: &RawStorage, service: StorageService, report: &mut Report) {
    if let (Some(file), Some(_)) = (&storage.ca, service.provider()) {
        let message = format!(
            "not used: with storage.service = {} the objects are with the cloud itself, whose certificates the \
             system's authorities sign",
            quoted(storage.service.as_deref().unwrap_or_default())
        );
        report.warn("storage.ca", Some(quoted(&file.display().to_string())), message);
    }
}

/// Who keeps the objects, and what that needs.
fn service(storage: &RawStorage, clouds: &BTreeMap<String, Cloud>, report: &mut Report) -> StorageService {
    let service = match storage.service.as_deref() {
        Some("aws") => StorageService::Aws,
        Some("gcp") => StorageService::Gcp,
        Some("azure") => StorageService::Azure,
        _ => StorageService::S3,
    };
    if service == StorageService::Azure && storage.account.is_none() && !report.has_error("storage.account") {
        let message = "missing; storage.service = \"azure\" needs the name of the storage account";
        report.error("storage.account", None, message);
    }
    let of_cloud = storage.cloud.as_deref().and_then(|label| Some((label, clouds.get(label)?.provider?)));
    if let (Some(own), Some((label, other))) = (service.provider(), of_cloud)
        && own != other
    {
        let message = format!(
            "cloud {label}, where storage.cloud places the objects, has another provider: the simulation measures the \
             way to the wrong cloud"
        );
        report.warn("storage.service", storage.service.as_deref().map(quoted), message);
    }
    service
}

/// The region of `s3://` URLs when none is set, and where it comes from.
fn region(service: StorageService, clouds: &BTreeMap<String, Cloud>) -> (String, String) {
    let of_aws = clouds
        .iter()
        .find(|(_, cloud)| cloud.provider == Some(Provider::Aws) && Form::Region.accepts(&cloud.region));
    match of_aws {
        Some((label, cloud)) if service != StorageService::S3 => {
            (cloud.region.clone(), format!("clouds.{label}.region"))
        }
        _ => (REGION.to_owned(), "storage.service".to_owned()),
    }
}

fn log(storage: &RawStorage, report: &mut Report) -> LogBackend {
    let log = match storage.log.as_deref() {
        Some("memory") => LogBackend::Memory,
        _ => LogBackend::Rocksdb,
    };
    if log == LogBackend::Memory {
        let message = "DANGER: the Raft log is kept in memory. A node that stops forgets its vote and every \
                       acknowledged write; never use this for data that matters";
        report.warn("storage.log", Some(quoted("memory")), message);
    }
    log
}
