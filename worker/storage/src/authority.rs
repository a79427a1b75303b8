//! The file with the authorities of a server of one's own: what may sign its certificate, in place of the system's.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::error::StoreError;

/// How the usual other form, a bare certificate in DER, becomes what is wanted.
const TO_PEM: &str = "`openssl x509 -inform der -in FILE -out FILE.pem` makes PEM of a certificate in DER";

/// Certificates of authorities, at least one, each seen to be one.
#[derive(Clone, Debug)]
pub struct Authorities {
    pub(crate) path: PathBuf,
    pub(crate) certificates: Vec<CertificateDer<'static>>,
}

impl Authorities {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// When it is missing, not readable, not PEM, or holds no certificate.
    pub fn load(path: &Path) -> Result<Self, StoreError> {
        let error = |detail: String| StoreError::Authorities { path: path.to_owned(), detail };
        let content = std::fs::read(path).map_err(|source| {
            error(format!(
                "{source}; copy the certificate of the authority that signs the store's to this host"
            ))
        })?;
        if !content.windows(BEGIN.len()).any(|part| part == BEGIN) {
            return Err(error(format!("not PEM, which has lines -----BEGIN CERTIFICATE-----; {TO_PEM}")));
        }
        let certificates = CertificateDer::pem_slice_iter(&content)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| error(format!("damaged PEM: {source}")))?;
        if certificates.is_empty() {
            let text = "no certificate in it; it must hold the authority's certificate (BEGIN CERTIFICATE), and needs no key";
            return Err(error(text.to_owned()));
        }
        let mut known = RootCertStore::empty();
        for (number, certificate) in (1..).zip(&certificates) {
            known
                .add(certificate.clone())
                .map_err(|source| error(format!("certificate {number} in it is damaged: {source}")))?;
        }
        Ok(Self { path: path.to_owned(), certificates })
    }
}

const BEGIN: &[u8] = b"-----BEGIN ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_no_use_is_named_with_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store-ca.pem");
        let refused = |content: &[u8]| {
            std::fs::write(&path, content).unwrap();
            Authorities::load(&path).unwrap_err().to_string()
        };
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec!["store".to_owned()]).unwrap().self_signed(&key).unwrap();
        let pem = certificate.pem();
        for (content, reason) in [
            (Vec::new(), "not PEM"),
            (certificate.der().to_vec(), "openssl x509 -inform der"),
            (key.serialize_pem().into_bytes(), "no certificate in it"),
            (pem.as_bytes()[..pem.len() / 2].to_vec(), "damaged PEM"),
            (
                b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec(),
                "certificate 1 in it",
            ),
        ] {
            let error = refused(&content);
            assert!(error.contains(reason) && error.contains("store-ca.pem"), "{reason}: {error}");
        }
        std::fs::remove_file(&path).unwrap();
        let missing = Authorities::load(&path).unwrap_err().to_string();
        assert!(missing.contains("No such file") && missing.contains("store-ca.pem"), "{missing}");
        std::fs::write(&path, format!("Bag Attributes\n{pem}{}", key.serialize_pem())).unwrap();
        assert_eq!(Authorities::load(&path).unwrap().certificates.len(), 1);
    }
}
