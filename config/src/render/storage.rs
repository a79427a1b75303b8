//! The store of the jobs as the Terraform modules take it: the chosen cloud's bucket is called as the file says. What
//! they could not make, or workers would not find, is refused here.

use serde::Serialize;

use crate::types::{Config, Provider, Storage, StorageService};

#[derive(Serialize)]
pub(super) struct Store<'a> {
    service: StorageService,
    bucket: &'a str,
    /// Null when the file has none.
    account: Option<&'a str>,
}

/// The store, and what is wrong with it.
pub(super) fn store<'a>(config: &'a Config, problems: &mut Vec<String>) -> Store<'a> {
    let Storage { service, bucket, account, .. } = &config.storage;
    if let Some(provider) = service.provider() {
        place(config, provider, problems);
    }
    name(config, problems);
    Store { service: *service, bucket, account: account.as_deref() }
}

/// Some cloud of the file makes the bucket, and workers ask for it where it is made.
fn place(config: &Config, provider: Provider, problems: &mut Vec<String>) {
    let Some((label, cloud)) = config.clouds.iter().find(|(_, cloud)| cloud.provider == Some(provider))
    else {
        let service = serde_json::to_string(&config.storage.service).unwrap_or_default();
        problems.push(format!(
            "storage.service = {service}, but none of the clouds has this provider, so nobody would make the bucket; \
             write \"s3\" or the provider of one of the clouds, or add the cloud"
        ));
        return;
    };
    let region = &config.storage.region;
    if provider == Provider::Aws && *region != cloud.region {
        problems.push(format!(
            "storage.region = \"{region}\" is not clouds.{label}.region = \"{}\", where the bucket is made; leave \
             storage.region out",
            cloud.region
        ));
    }
}

/// Dots break the certificates of the clouds' stores; Azure's container has the name whichever store is chosen.
fn name(config: &Config, problems: &mut Vec<String>) {
    let Storage { service, bucket, .. } = &config.storage;
    let azure = config.clouds.values().any(|cloud| cloud.provider == Some(Provider::Azure));
    let dots = bucket.contains('.') && (azure || service.provider().is_some());
    if dots || (azure && bucket.contains("--")) {
        problems.push(format!(
            "storage.bucket = \"{bucket}\" is no name in the clouds: write 3 to 63 characters of a-z, 0-9 and single '-'"
        ));
    }
}
