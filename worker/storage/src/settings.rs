//! Where objects are, and how to open the place.

use std::path::PathBuf;

use farquorum_config::{Config, Detours, NoDetour, StorageService};

use crate::location::Scheme;

/// What servers other than Amazon's take as the region of a signature.
const ANY_REGION: &str = "us-east-1";

/// Where the store is and how to open it.
#[derive(Clone, Debug)]
pub struct StorageSettings {
    /// URL of this deployment's bucket: `s3://BUCKET`, `gs://BUCKET` or `az://CONTAINER`.
    pub url: String,
    /// `http://host:port` or `https://host[:port]` of the server behind `s3://`; none: Amazon S3.
    pub endpoint: Option<String>,
    /// Region of `s3://`.
    pub region: String,
    /// Storage account of `az://`; none: such URLs are refused.
    pub account: Option<String>,
    /// File with keys (see [`crate::Keys`]); what it has no keys for is opened with the identity of this machine, and a
    /// server behind an endpoint without a signature.
    pub credentials: Option<PathBuf>,
    /// Hosts that are reached elsewhere.
    pub detours: Detours,
}

impl StorageSettings {
    /// A server that speaks S3 at an address.
    pub fn s3(endpoint: String, bucket: &str, credentials: Option<PathBuf>) -> Self {
        Self {
            url: bucket_url(StorageService::S3, bucket),
            endpoint: Some(endpoint),
            region: ANY_REGION.to_owned(),
            account: None,
            credentials,
            detours: Detours::default(),
        }
    }

    /// Settings of the store that the configuration names.
    ///
    /// # Errors
    /// The configuration has detours, and none for the store.
    pub fn from_config(config: &Config, credentials: Option<PathBuf>) -> Result<Self, NoDetour> {
        let storage = &config.storage;
        let endpoint = match storage.service {
            StorageService::S3 => Some(format!("http://{}", config.detours.of(&storage.host_port())?)),
            StorageService::Aws | StorageService::Gcp | StorageService::Azure => None,
        };
        Ok(Self {
            url: bucket_url(storage.service, &storage.bucket),
            endpoint,
            region: storage.region.clone(),
            account: storage.account.clone(),
            credentials,
            detours: config.detours.clone(),
        })
    }
}

/// URL of a bucket, by who keeps it.
pub fn bucket_url(service: StorageService, bucket: &str) -> String {
    let scheme = match service {
        StorageService::S3 | StorageService::Aws => Scheme::S3,
        StorageService::Gcp => Scheme::Gs,
        StorageService::Azure => Scheme::Az,
    };
    format!("{}://{bucket}", scheme.name())
}
