//! The object store in a context file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a configuration signs with, too, when nobody names a region. Servers other than Amazon's take any.
const ANY_REGION: &str = "us-east-1";

/// The object store, seen from this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageContext {
    /// The bucket for jobs: `s3://BUCKET`, `gs://BUCKET` or `az://CONTAINER`.
    pub url: String,
    /// URL of the server behind `s3://`; without it, that is Amazon S3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// PEM file with the authorities that may sign the certificate of an `https://` endpoint; without it, the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Region of `s3://`. A file may leave it out where any will do.
    #[serde(default)]
    pub region: String,
    /// Storage account of `az://`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// File with keys, mode 0600; without it the identity of this machine asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<PathBuf>,
}

impl StorageContext {
    /// Fills in a region that was left out. Amazon S3 has none that would do: it is asked where the bucket is.
    pub(crate) fn complete(&mut self) -> Result<(), String> {
        if !self.region.is_empty() {
            return Ok(());
        }
        if let (Some(bucket), None) = (self.url.strip_prefix("s3://"), &self.endpoint) {
            return Err(format!(
                "region is missing below [storage]: {} is at Amazon S3, which is asked in the region of the bucket; add \
                 region = \"...\" (`aws s3api get-bucket-location --bucket {}` prints it), or endpoint = \"https://...\" \
                 of a server of your own",
                self.url,
                bucket.trim_end_matches('/')
            ));
        }
        ANY_REGION.clone_into(&mut self.region);
        Ok(())
    }
}
