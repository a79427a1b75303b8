//! The folder of certificates, and how its files are read and written.
//!
//! A file is written whole or not at all, so a reader that reloads sees the old one or the new one. Keys are 0600 from the
//! first byte.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use farquorum_config::Draft;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use crate::authority::AuthorityKind;
use crate::error::TlsError;

/// Mode of a private key: its owner only.
pub(crate) const SECRET: u32 = 0o600;
/// Mode of a certificate or revocation list.
pub(crate) const PUBLIC: u32 = 0o644;

/// Where things are in a folder of certificates.
#[derive(Clone, Debug)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// The layout of this folder; nothing is read or made.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Certificate of an authority.
    pub fn authority_certificate(&self, kind: AuthorityKind) -> PathBuf {
        self.authority(kind, "crt")
    }

    /// Private key of an authority.
    pub fn authority_key(&self, kind: AuthorityKind) -> PathBuf {
        self.authority(kind, "key")
    }

    /// Revocation list of an authority.
    pub fn authority_crl(&self, kind: AuthorityKind) -> PathBuf {
        self.authority(kind, "crl")
    }

    /// Certificate of a holder.
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.crt"))
    }

    /// Private key of a holder.
    pub fn key(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.key"))
    }

    fn authority(&self, kind: AuthorityKind, extension: &str) -> PathBuf {
        self.dir.join("ca").join(format!("{}.{extension}", kind.as_str()))
    }
}

/// A file's whole text.
pub(crate) fn read(path: &Path) -> Result<String, TlsError> {
    fs::read_to_string(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

/// All certificates of a PEM file, the holder's first.
pub(crate) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let content = |reason: String| TlsError::Content { path: path.to_owned(), what: "certificate", reason };
    let chain = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| content(error.to_string()))?;
    if chain.is_empty() {
        return Err(content("there is no CERTIFICATE section".to_owned()));
    }
    Ok(chain)
}

/// The private key of a PEM file.
pub(crate) fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path)?;
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| TlsError::Content {
        path: path.to_owned(),
        what: "private key",
        reason: error.to_string(),
    })
}

/// The revocation list of a PEM file.
pub(crate) fn read_crl(path: &Path) -> Result<CertificateRevocationListDer<'static>, TlsError> {
    let text = read(path)?;
    CertificateRevocationListDer::from_pem_slice(text.as_bytes()).map_err(|error| TlsError::Content {
        path: path.to_owned(),
        what: "revocation list",
        reason: error.to_string(),
    })
}

/// Refuses when one of the files is there.
pub(crate) fn refuse_existing(paths: &[&Path]) -> Result<(), TlsError> {
    match paths.iter().find(|path| path.symlink_metadata().is_ok()) {
        Some(path) => Err(TlsError::Exists { path: (*path).to_owned() }),
        None => Ok(()),
    }
}

/// Writes a file whole or not at all, with this mode, and makes its folder when that is missing.
pub(crate) fn write(path: &Path, mode: u32, text: &str) -> Result<(), TlsError> {
    publish(draft(path, mode, text)?, path)
}

/// Writes a certificate and its key. Both are on the disk before either has its name: a full disk leaves the old pair. A
/// crash between the two names leaves a key and a certificate that do not fit, which whoever loads them is told.
pub(crate) fn write_pair(key: (&Path, &str), certificate: (&Path, &str)) -> Result<(), TlsError> {
    let (key_draft, certificate_draft) =
        (draft(key.0, SECRET, key.1)?, draft(certificate.0, PUBLIC, certificate.1)?);
    publish(key_draft, key.0)?;
    publish(certificate_draft, certificate.0)
}

fn draft(path: &Path, mode: u32, text: &str) -> Result<Draft, TlsError> {
    let made = || -> io::Result<Draft> {
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        Draft::new(path, mode, |file| file.write_all(text.as_bytes()))
    };
    made().map_err(|source| TlsError::Write { path: path.to_owned(), source })
}

fn publish(draft: Draft, path: &Path) -> Result<(), TlsError> {
    draft.publish().map_err(|source| TlsError::Write { path: path.to_owned(), source })
}
