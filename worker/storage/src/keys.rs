//! The file with the keys that open stores (`credentials.toml`, mode 0600), as clients read it: all of its values are
//! optional, since a machine in a cloud has an identity there and needs none. Secrets are never printed or logged.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::credentials::Credentials;
use crate::error::StoreError;

/// What a file may hold; of S3's three values the first two go together, and of Azure's two there is one.
const ALLOWED: &str = "it may hold access_key with secret_key (and session_token) for s3://, google_credentials (a path) \
                       for gs://, azure_key or azure_sas for az://, each as NAME = \"...\"";

/// Keys of the stores that need some from here.
#[derive(Clone, Default)]
pub struct Keys {
    pub(crate) s3: Option<S3Keys>,
    /// JSON file of a service account, or what `gcloud auth application-default login` writes.
    pub(crate) google: Option<PathBuf>,
    pub(crate) azure: Option<AzureKey>,
}

#[derive(Clone)]
pub(crate) struct S3Keys {
    pub(crate) pair: Credentials,
    /// Belongs to keys that end after a while.
    pub(crate) session_token: Option<String>,
}

#[derive(Clone)]
pub(crate) enum AzureKey {
    /// Of the whole account.
    Account(String),
    /// A shared access signature: `sv=...&sig=...`.
    Signature(String),
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("s3", &self.s3.as_ref().map(|keys| &keys.pair))
            .field("google", &self.google)
            .field("azure", &self.azure.is_some())
            .finish()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    access_key: Option<String>,
    secret_key: Option<String>,
    session_token: Option<String>,
    google_credentials: Option<PathBuf>,
    azure_key: Option<String>,
    azure_sas: Option<String>,
}

impl Keys {
    /// Reads the file.
    ///
    /// # Errors
    /// When it is missing, not readable, or holds something else.
    pub fn load(path: &Path) -> Result<Self, StoreError> {
        let error = |detail: String| StoreError::Credentials { path: path.to_owned(), detail };
        let text = std::fs::read_to_string(path).map_err(|source| {
            error(format!("{source}; the lab's server makes it on its first start, other hosts need a copy"))
        })?;
        // The parser's message would quote the line, and so perhaps the secret.
        let file: File = toml::from_str(&text).map_err(|_| error(format!("not valid; {ALLOWED}")))?;
        Self::from_file(file).map_err(|what| error(format!("{what}; {ALLOWED}")))
    }

    fn from_file(file: File) -> Result<Self, &'static str> {
        let s3 = match (file.access_key, file.secret_key) {
            (Some(access_key), Some(secret_key)) => {
                let pair = Credentials { access_key, secret_key };
                Some(S3Keys { pair, session_token: file.session_token })
            }
            (None, None) if file.session_token.is_none() => None,
            _ => return Err("of access_key and secret_key one is missing"),
        };
        let azure = match (file.azure_key, file.azure_sas) {
            (Some(_), Some(_)) => return Err("azure_key and azure_sas exclude each other"),
            (Some(key), None) => Some(AzureKey::Account(key)),
            (None, sas) => sas.map(AzureKey::Signature),
        };
        Ok(Self { s3, google: file.google_credentials, azure })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Keys, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.toml");
        std::fs::write(&path, text).unwrap();
        Keys::load(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn every_kind_of_key_is_read_and_none_is_shown() {
        let text = "access_key = \"AK\"\nsecret_key = \"hunter1\"\nsession_token = \"hunter2\"\n\
                    google_credentials = \"/run/gcs.json\"\nazure_sas = \"sv=1&sig=hunter3\"\n";
        let keys = load(text).unwrap();
        assert!(keys.s3.is_some() && keys.google.is_some() && keys.azure.is_some());
        let shown = format!("{keys:?}");
        assert!(shown.contains("AK") && !shown.contains("hunter"), "{shown}");
        let none = load("").unwrap();
        assert!(none.s3.is_none() && none.google.is_none() && none.azure.is_none());
    }

    #[test]
    fn what_does_not_go_together_is_refused_and_not_quoted() {
        for (text, reason) in [
            ("secret_key = \"hunter2\"", "of access_key and secret_key one is missing"),
            ("session_token = \"hunter2\"", "of access_key and secret_key one is missing"),
            ("azure_key = \"hunter2\"\nazure_sas = \"hunter2\"", "exclude each other"),
            ("secret_key = hunter2", "not valid"),
            ("secret = \"hunter2\"", "not valid"),
        ] {
            let error = load(text).unwrap_err();
            assert!(error.contains(reason) && error.contains("it may hold access_key"), "{text}: {error}");
            assert!(error.contains("credentials.toml") && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}
