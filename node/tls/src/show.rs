//! What stands in a certificate, for people.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::error::TlsError;
use crate::files;
use crate::identity::Identity;

/// What stands in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertInfo {
    /// Who the holder is; none for an authority, or when the certificate has no identity of ours.
    pub identity: Option<Identity>,
    /// Subject, as RFC 4514 writes it.
    pub subject: String,
    /// Who signed it, as RFC 4514 writes it.
    pub issuer: String,
    /// Serial number in hexadecimal.
    pub serial: String,
    /// Start of validity, in seconds since the Unix epoch.
    pub not_before: i64,
    /// End of validity, in seconds since the Unix epoch.
    pub not_after: i64,
    /// DNS names, IP addresses and URIs.
    pub sans: Vec<String>,
    /// SHA-256 of the certificate in hexadecimal.
    pub fingerprint: String,
}

/// Reads the first certificate of a PEM file.
///
/// # Errors
/// When the file is not readable or holds no certificate.
pub fn show(path: &Path) -> Result<CertInfo, TlsError> {
    let der = files::read_certificates(path)?.swap_remove(0);
    let content = |reason: String| TlsError::Content { path: path.to_owned(), what: "certificate", reason };
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|error| content(error.to_string()))?;
    let names = certificate.subject_alternative_name().map_err(|error| content(error.to_string()))?;
    Ok(CertInfo {
        identity: Identity::from_certificate(&der).ok(),
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        serial: hex::encode(certificate.raw_serial()),
        not_before: certificate.validity().not_before.timestamp(),
        not_after: certificate.validity().not_after.timestamp(),
        sans: names.iter().flat_map(|names| &names.value.general_names).map(san).collect(),
        fingerprint: hex::encode(Sha256::digest(&der)),
    })
}

fn san(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(name) => (*name).to_owned(),
        GeneralName::URI(uri) => (*uri).to_owned(),
        GeneralName::IPAddress(bytes) => match address(bytes) {
            Some(address) => address.to_string(),
            None => hex::encode(bytes),
        },
        other => format!("{other:?}"),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).ok().map(|octets| Ipv4Addr::from(octets).into());
    v4.or_else(|| <[u8; 16]>::try_from(bytes).ok().map(|octets| Ipv6Addr::from(octets).into()))
}
