//! Clients of the services behind the schemes of URLs: `s3://`, `gs://`, `az://`.
//!
//! Who asks is told by a key of the credentials file or, without one, by the identity that the cloud gives its machines
//! (metadata of the instance). A server at an endpoint knows no such identity: without a key its requests are unsigned.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{ClientOptions, ObjectStore, RetryConfig};

use crate::authority::Authorities;
use crate::connector::Connector;
use crate::error::StoreError;
use crate::keys::{AzureKey, Keys};
use crate::location::{Scheme, is_bucket};
use crate::settings::StorageSettings;

/// Tries after the first one of a request.
const RETRIES: usize = 5;
/// Longest time that the tries of one request take together.
const RETRY_TIME: Duration = Duration::from_secs(40);
/// Where a machine in a cloud asks for its identity. Google has a name for it too, and its client asks that first.
const METADATA: &str = "169.254.169.254:80";
const METADATA_OF_GOOGLE: &str = "metadata.google.internal:80";
const GOOGLE: &str = "storage.googleapis.com:443";

/// Settings, keys and the HTTP clients: all that a bucket's client is made of.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) settings: StorageSettings,
    pub(crate) keys: Keys,
    /// For the clouds' own services.
    pub(crate) connector: Connector,
    /// For the server at the endpoint.
    pub(crate) own: Connector,
}

impl Services {
    /// Checks the settings and reads the keys.
    pub(crate) fn new(settings: &StorageSettings) -> Result<Self, StoreError> {
        let plain = settings.endpoint.as_deref().map(is_plain).transpose()?;
        if !is_bucket(&settings.url) {
            let text = format!(
                "{:?} is no bucket: must be s3://BUCKET, gs://BUCKET or az://CONTAINER",
                settings.url
            );
            return Err(StoreError::Settings(text));
        }
        let connector = Connector::new(&settings.detours)?;
        let own = match (&settings.ca, plain) {
            (None, _) => connector.clone(),
            (Some(file), Some(false)) => connector.trusting(Authorities::load(file)?)?,
            (Some(file), _) => {
                let text = format!(
                    "ca = {file:?} is for a server at an https:// endpoint, and the objects are elsewhere: write \
                     https:// or leave ca out"
                );
                return Err(StoreError::Settings(text));
            }
        };
        Ok(Self {
            keys: settings.credentials.as_deref().map(Keys::load).transpose()?.unwrap_or_default(),
            connector,
            own,
            settings: settings.clone(),
        })
    }

    /// A client for one bucket. Sends nothing yet.
    pub(crate) fn connect(&self, scheme: Scheme, bucket: &str) -> Result<Arc<dyn ObjectStore>, StoreError> {
        match scheme {
            Scheme::S3 => Ok(Arc::new(self.s3(bucket)?)),
            Scheme::Gs => self.google(bucket),
            Scheme::Az => self.azure(bucket),
        }
    }

    /// S3: the server at the endpoint, or Amazon's.
    pub(crate) fn s3(&self, bucket: &str) -> Result<AmazonS3, StoreError> {
        let settings = &self.settings;
        let plain = settings.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        let builder = AmazonS3Builder::new()
            .with_region(&settings.region)
            .with_bucket_name(bucket)
            .with_client_options(ClientOptions::new().with_allow_http(plain))
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_retry(retry());
        let builder = match &settings.endpoint {
            Some(endpoint) => builder.with_endpoint(endpoint).with_http_connector(self.own.clone()),
            None => {
                self.way_to(&format!("s3.{}.amazonaws.com:443", settings.region))?;
                builder.with_http_connector(self.connector.clone())
            }
        };
        let builder = match (&self.keys.s3, &settings.endpoint) {
            (Some(keys), _) => {
                let pair = &keys.pair;
                let builder =
                    builder.with_access_key_id(&pair.access_key).with_secret_access_key(&pair.secret_key);
                keys.session_token.iter().fold(builder, |builder, token| builder.with_token(token))
            }
            (None, Some(_)) => builder.with_skip_signature(true),
            (None, None) => builder.with_metadata_endpoint(format!("http://{}", self.way_to(METADATA)?)),
        };
        builder.build().map_err(|error| refused(bucket, &error))
    }

    fn google(&self, bucket: &str) -> Result<Arc<dyn ObjectStore>, StoreError> {
        self.way_to(GOOGLE)?;
        let builder = GoogleCloudStorageBuilder::new()
            .with_bucket_name(bucket)
            .with_client_options(ClientOptions::new().with_allow_http(false))
            .with_http_connector(self.connector.clone())
            .with_retry(retry());
        let builder = match &self.keys.google {
            Some(file) => builder.with_application_credentials(file.display().to_string()),
            None => {
                self.way_to(METADATA_OF_GOOGLE)?;
                builder
            }
        };
        let built = builder.build().map_err(|error| match &self.keys.google {
            Some(file) => StoreError::Credentials { path: file.clone(), detail: crate::error::chain(&error) },
            None => refused(bucket, &error),
        });
        Ok(Arc::new(built?))
    }

    fn azure(&self, container: &str) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let account = self.settings.account.as_ref().ok_or_else(|| {
            StoreError::Settings(format!(
                "az://{container}: the storage account is not known; set storage.account in farquorum.toml"
            ))
        })?;
        self.way_to(&format!("{account}.blob.core.windows.net:443"))?;
        let builder = MicrosoftAzureBuilder::new()
            .with_account(account)
            .with_container_name(container)
            .with_client_options(ClientOptions::new().with_allow_http(false))
            .with_http_connector(self.connector.clone())
            .with_retry(retry());
        let builder = match &self.keys.azure {
            Some(AzureKey::Account(key)) => builder.with_access_key(key),
            Some(AzureKey::Signature(sas)) => {
                builder.with_config(object_store::azure::AzureConfigKey::SasKey, sas)
            }
            None => builder.with_msi_endpoint(format!(
                "http://{}/metadata/identity/oauth2/token",
                self.way_to(METADATA)?
            )),
        };
        Ok(Arc::new(builder.build().map_err(|error| refused(container, &error))?))
    }

    /// Where a host is reached: the host itself, or the end of its detour.
    fn way_to<'a>(&'a self, host: &'a str) -> Result<&'a str, StoreError> {
        self.settings.detours.of(host).map_err(|error| StoreError::Settings(error.to_string()))
    }
}

/// Whether an endpoint is plain HTTP.
pub(crate) fn is_plain(endpoint: &str) -> Result<bool, StoreError> {
    match endpoint.split_once("://") {
        Some(("http", rest)) if !rest.is_empty() => Ok(true),
        Some(("https", rest)) if !rest.is_empty() => Ok(false),
        _ => {
            let text = format!("endpoint {endpoint:?}: must be http://host:port or https://host");
            Err(StoreError::Settings(text))
        }
    }
}

fn retry() -> RetryConfig {
    RetryConfig { max_retries: RETRIES, retry_timeout: RETRY_TIME, ..RetryConfig::default() }
}

fn refused(bucket: &str, error: &object_store::Error) -> StoreError {
    StoreError::Settings(format!("bucket {bucket:?}: {}", crate::error::chain(error)))
}
