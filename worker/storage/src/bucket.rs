//! Makes the deployment's bucket when it is missing: a store that was just started, such as MinIO in a container, has
//! none. Two signed requests, since the library knows objects only; who may not make buckets gets the store's answer and
//! changes nothing.

use std::time::Duration;

use http::{Method, StatusCode};
use object_store::path::Path;
use object_store::signer::Signer;

use crate::client::Store;
use crate::error::StoreError;
use crate::location::{Scheme, in_bucket};
use crate::services::{Services, is_plain};

/// How long a signature holds: one request, on clocks that differ a little.
const SIGNATURE_TIME: Duration = Duration::from_secs(60);
/// Characters that are shown of an answer that is no success.
const ANSWER_CHARS_MAX: usize = 300;

impl Store {
    /// Makes the bucket of this deployment when a server at an address says that there is none; says whether it did.
    /// Without keys nothing is asked. A cloud's bucket belongs to those who pay for it: it is never made here.
    ///
    /// # Errors
    /// When the store does not answer ([`StoreError::is_retryable`]), or refuses to make it.
    pub async fn ensure_bucket(&self) -> Result<bool, StoreError> {
        let Services { settings, keys, .. } = self.services();
        let Some((Scheme::S3, bucket, _)) = in_bucket(&settings.url) else { return Ok(false) };
        let ours = settings.endpoint.is_some() && keys.s3.is_some();
        if !ours || self.ask(bucket, Method::HEAD).await?.0 != StatusCode::NOT_FOUND {
            return Ok(false);
        }
        match self.ask(bucket, Method::PUT).await? {
            // Another worker was faster.
            (StatusCode::CONFLICT, _) => Ok(false),
            (status, _) if status.is_success() => Ok(true),
            (status, text) => {
                let text: String = text.chars().take(ANSWER_CHARS_MAX).collect();
                let url = self.bucket_url();
                let message = format!("cannot make the bucket {url}: the store answered {status}: {text}");
                Err(StoreError::Settings(message))
            }
        }
    }

    /// One request to the bucket itself: status and text of the answer.
    async fn ask(&self, bucket: &str, method: Method) -> Result<(StatusCode, String), StoreError> {
        let url = self.bucket_url();
        let Services { settings, own, .. } = self.services();
        let plain = settings.endpoint.as_deref().map_or(Ok(false), is_plain)?;
        let client = own.client(plain)?;
        let signed =
            self.services().s3(bucket)?.signed_url(method.clone(), &Path::default(), SIGNATURE_TIME).await;
        let signed = signed.map_err(|error| self.failed("look for", url, &error))?;
        let failed =
            |detail: String| StoreError::Failed { operation: "look for", url: url.to_owned(), detail };
        // The URL holds the signature.
        let lost = |error: reqwest::Error| match client.refusal(&error) {
            Some(detail) => StoreError::Untrusted { operation: "look for", url: url.to_owned(), detail },
            None => failed(error.without_url().to_string()),
        };
        let answer = client.http.request(method, signed).send().await.map_err(lost)?;
        let status = answer.status();
        let text = answer.text().await.map_err(lost)?;
        // A store that is starting.
        if status.is_server_error() { Err(failed(format!("{status}: {text}"))) } else { Ok((status, text)) }
    }
}
