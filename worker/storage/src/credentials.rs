//! The pair of keys that opens the store, in a file of its own (`credentials.toml`, mode 0600).
//!
//! The lab's server makes the file on its first start; clients read it. The secret is never printed or logged: `Debug`
//! leaves it out.

use std::fmt;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use farquorum_config::Draft;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;

/// An access key and its secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// Names the key; not secret.
    pub access_key: String,
    /// Signs requests.
    pub secret_key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

impl Credentials {
    /// A new random pair: 80 and 160 bits.
    pub fn random() -> Self {
        Self {
            access_key: hex::encode(rand::random::<[u8; 10]>()),
            secret_key: hex::encode(rand::random::<[u8; 20]>()),
        }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When it is missing, not readable, or not `access_key = "..."` and `secret_key = "..."`.
    pub fn load(path: &Path) -> Result<Self, StoreError> {
        let error = |detail: String| StoreError::Credentials { path: path.to_owned(), detail };
        let text = std::fs::read_to_string(path).map_err(|e| {
            error(format!("{e}; the store's server makes it on its first start, other hosts need a copy"))
        })?;
        // The parser's message would quote the line, and so perhaps the secret.
        toml::from_str(&text).map_err(|_| {
            error("not valid; it must hold exactly access_key = \"...\" and secret_key = \"...\"".to_owned())
        })
    }

    /// Reads the file; makes it with a random pair when it does not exist.
    ///
    /// # Errors
    /// As [`Credentials::load`], or when it cannot be written.
    pub fn load_or_create(path: &Path) -> Result<Self, StoreError> {
        let error = |detail: String| StoreError::Credentials { path: path.to_owned(), detail };
        if path.symlink_metadata().is_ok() {
            return Self::load(path);
        }
        let made = Self::random();
        let text = toml::to_string(&made).map_err(|e| error(e.to_string()))?;
        let draft = Draft::new(path, 0o600, |file| file.write_all(text.as_bytes()));
        match draft.and_then(Draft::publish_new) {
            Ok(()) => Ok(made),
            // Another process was faster, and its pair is the one.
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Self::load(path),
            Err(e) => Err(error(e.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn made_once_for_the_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.toml");
        let made = Credentials::load_or_create(&path).unwrap();
        assert_eq!(Credentials::load_or_create(&path).unwrap(), made);
        assert_eq!(Credentials::load(&path).unwrap(), made);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!format!("{made:?}").contains(&made.secret_key));
    }

    /// They come at the same time: a store that starts, and who prepares for it.
    #[test]
    fn all_who_make_it_at_once_have_the_same_pair() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.toml");
        let made: Vec<Credentials> = std::thread::scope(|scope| {
            let make = || Credentials::load_or_create(&path).unwrap();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(made.iter().all(|one| *one == made[0]), "{made:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "half files are left");
    }

    #[test]
    fn a_broken_file_is_named_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.toml");
        std::fs::write(&path, "secret_key = hunter2").unwrap();
        let error = Credentials::load(&path).unwrap_err().to_string();
        assert!(error.contains("credentials.toml") && !error.contains("hunter2"), "{error}");
    }
}
