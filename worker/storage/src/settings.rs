//! Where objects are, and how to open the place.

use std::net::IpAddr;
use std::path::PathBuf;

use farquorum_config::{Config, Detours, NoDetour, Storage, StorageService};

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
    /// PEM file with the authorities that may sign the certificate of an `https://` endpoint; none: the system's.
    pub ca: Option<PathBuf>,
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
            ca: None,
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
            StorageService::S3 => Some(endpoint(storage, config.detours.of(&storage.host_port())?)),
            StorageService::Aws | StorageService::Gcp | StorageService::Azure => None,
        };
        Ok(Self {
            url: bucket_url(storage.service, &storage.bucket),
            ca: storage.ca.clone().filter(|_| endpoint.is_some() && storage.tls),
            endpoint,
            region: storage.region.clone(),
            account: storage.account.clone(),
            credentials,
            detours: config.detours.clone(),
        })
    }
}

/// URL of the server of one's own that is reached `at` (the end of its detour, or itself). A name stays: the certificate
/// is for it, and the connector knows where it leads; only the port is that of the end.
fn endpoint(storage: &Storage, at: &str) -> String {
    let is_name = storage.address.parse::<IpAddr>().is_err();
    match at.rsplit_once(':') {
        Some((_, port)) if storage.tls && is_name => format!("https://{}:{port}", storage.address),
        _ => format!("{}://{at}", storage.scheme()),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a worker opens with these lines below `[storage]`, and these detours: endpoint and authorities.
    fn opened(lines: &str, detours: &[(&str, &str)]) -> (String, Option<PathBuf>) {
        let own = farquorum_config::BUILT_IN.replace("[storage]", &format!("[storage]\n{lines}"));
        let detours: Detours =
            detours.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
        let sources = farquorum_config::Sources {
            overrides: vec![("storage.address".to_owned(), "minio.example.com".to_owned())],
            ..Default::default()
        };
        let config = farquorum_config::load_text(&(own + &detours.to_toml()), None, &sources).unwrap().config;
        let settings = StorageSettings::from_config(&config, None).unwrap();
        (settings.endpoint.unwrap_or_default(), settings.ca)
    }

    #[test]
    fn a_server_with_https_is_reached_under_the_name_in_its_certificate() {
        let file = || Some(PathBuf::from("/etc/store-ca.pem"));
        let ca = "ca = \"/etc/store-ca.pem\"";
        let detour = [("minio.example.com:9000", "127.0.0.1:40001")];
        assert_eq!(opened("", &[]), ("http://minio.example.com:9000".to_owned(), None));
        assert_eq!(opened("", &detour), ("http://127.0.0.1:40001".to_owned(), None));
        assert_eq!(opened("tls = true", &[]), ("https://minio.example.com:9000".to_owned(), None));
        assert_eq!(opened(ca, &[]), ("https://minio.example.com:9000".to_owned(), file()));
        assert_eq!(opened(ca, &detour), ("https://minio.example.com:40001".to_owned(), file()));
        let plain = format!("{ca}\ntls = false");
        assert_eq!(opened(&plain, &[]), ("http://minio.example.com:9000".to_owned(), None));
    }
}
