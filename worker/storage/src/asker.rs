//! Who asks a store, in the words of a refusal: which key of which file, or the machine itself. Never a secret.

use crate::keys::{AzureKey, Keys};
use crate::location::Scheme;
use crate::settings::StorageSettings;

/// Who asks in URLs of this scheme; none: the URL is of this host.
pub(crate) fn asker(settings: &StorageSettings, keys: &Keys, scheme: Option<Scheme>) -> String {
    let file = settings
        .credentials
        .as_deref()
        .map_or(String::new(), |file| format!("the credentials file {}", file.display()));
    let machine = || "the machine's identity".to_owned();
    match scheme {
        None => "the user of this process".to_owned(),
        Some(Scheme::S3) => match (&keys.s3, &settings.endpoint) {
            (Some(keys), _) => {
                let with = keys.session_token.as_ref().map_or("", |_| " with its session_token");
                format!("access_key {} of {file}{with}", keys.pair.access_key)
            }
            (None, Some(_)) => {
                "a request without keys (no credentials file has access_key for it)".to_owned()
            }
            (None, None) => machine(),
        },
        Some(Scheme::Gs) => match &keys.google {
            Some(google) => format!("google_credentials {} of {file}", google.display()),
            None => machine(),
        },
        Some(Scheme::Az) => {
            let key = match &keys.azure {
                Some(AzureKey::Account(_)) => format!("azure_key of {file}"),
                Some(AzureKey::Signature(_)) => format!("azure_sas of {file}"),
                None => machine(),
            };
            format!("{key} at the storage account {}", settings.account.as_deref().unwrap_or_default())
        }
    }
}
