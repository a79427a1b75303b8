//! What a host gets back from whoever signs: its certificate, and the authorities with their revocation lists, as one
//! text, so that it fits through a pipe. No secret is in it.
//!
//! PEM sections, each behind a line `# farquorum file: NAME`. Nothing is installed that does not fit together: the
//! certificate must be for the key on this host and signed by the authority beside it, and authorities that the host
//! trusts already are not replaced unasked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use crate::authority::{AuthorityKind, cluster_of, own_key};
use crate::error::TlsError;
use crate::files::{self, Layout, PUBLIC};
use crate::identity::Identity;
use crate::request::{fingerprint, fingerprint_of};

/// Starts a file in the text.
const HEADING: &str = "# farquorum file: ";
/// The authorities, as the text names their files.
const KINDS: [AuthorityKind; 2] = [AuthorityKind::Peer, AuthorityKind::Client];

/// What was installed.
#[derive(Clone, Debug)]
pub struct Installed {
    /// Who the holder is.
    pub identity: Identity,
    /// Its certificate.
    pub certificate: PathBuf,
    /// End of its validity, in seconds since the Unix epoch.
    pub not_after: i64,
}

/// The text for the holder `name`, from the signer's folder.
///
/// # Errors
/// When one of the files cannot be read.
pub fn bundle(dir: &Path, name: &str) -> Result<String, TlsError> {
    let layout = Layout::new(dir);
    let mut files = vec![(format!("{name}.crt"), layout.certificate(name))];
    for kind in KINDS {
        files.push((authority_file(kind, "crt"), layout.authority_certificate(kind)));
        files.push((authority_file(kind, "crl"), layout.authority_crl(kind)));
    }
    let mut text = String::new();
    for (name, path) in files {
        text.push_str(&format!("{HEADING}{name}\n{}\n", files::read(&path)?.trim_end()));
    }
    Ok(text)
}

/// Installs such a text into `dir`, beside the key that the request was made with.
///
/// # Errors
/// When a part is missing or does not fit the others, this host's key, or the authorities that are there (without
/// `force`). Nothing is written then.
pub fn install(dir: &Path, text: &str, force: bool) -> Result<Installed, TlsError> {
    let mut parts = split(text)?;
    let layout = Layout::new(dir);
    let mut authorities = Vec::with_capacity(KINDS.len());
    for kind in KINDS {
        let mut take = |extension| {
            let name = authority_file(kind, extension);
            parts.remove(&name).ok_or_else(|| refused(format!("it holds no {name}")))
        };
        authorities.push((kind, take("crt")?, take("crl")?));
    }
    let mut rest = parts.into_iter();
    let (Some((file, leaf)), None) = (rest.next(), rest.next()) else {
        return Err(refused("it must hold the certificate of exactly one holder".to_owned()));
    };

    let der = certificate_der(&file, &leaf)?;
    let identity = Identity::from_certificate(&der)?;
    if file != format!("{}.crt", identity.name) {
        return Err(refused(format!("{file} is the certificate of {identity}")));
    }
    let certificate = x509(&file, &der)?;
    let key = layout.key(&identity.name);
    if fingerprint(&own_key(&key)?) != fingerprint_of(&certificate) {
        return Err(refused(format!("{file} is not for the key in {}", key.display())));
    }
    for (kind, authority, list) in &authorities {
        let name = authority_file(*kind, "crt");
        let der = certificate_der(&name, authority)?;
        if cluster_of(&der).as_deref() != Some(&identity.cluster) {
            return Err(refused(format!("{name} is not an authority of cluster {:?}", identity.cluster)));
        }
        let signer = x509(&name, &der)?;
        check_list(*kind, list, &signer)?;
        if *kind == AuthorityKind::of(identity.role)
            && certificate.verify_signature(Some(signer.public_key())).is_err()
        {
            return Err(refused(format!("{file} is not signed by the authority in {name}")));
        }
        let trusted = layout.authority_certificate(*kind);
        if trusted.exists() && !force && files::read_certificates(&trusted)?.first() != Some(&der) {
            let path = trusted.display();
            return Err(refused(format!("{path} is another authority; --force trusts the new one")));
        }
    }

    for (kind, authority, list) in &authorities {
        files::write(&layout.authority_certificate(*kind), PUBLIC, authority)?;
        files::write(&layout.authority_crl(*kind), PUBLIC, list)?;
    }
    let path = layout.certificate(&identity.name);
    files::write(&path, PUBLIC, &leaf)?;
    let not_after = certificate.validity().not_after.timestamp();
    Ok(Installed { identity, certificate: path, not_after })
}

fn authority_file(kind: AuthorityKind, extension: &str) -> String {
    format!("ca/{}.{extension}", kind.as_str())
}

fn refused(reason: String) -> TlsError {
    TlsError::Bundle(reason)
}

/// The text's files by name.
fn split(text: &str) -> Result<BTreeMap<String, String>, TlsError> {
    let mut parts: BTreeMap<String, String> = BTreeMap::new();
    let mut name: Option<&str> = None;
    for line in text.lines() {
        if let Some(next) = line.strip_prefix(HEADING) {
            if parts.insert(next.to_owned(), String::new()).is_some() {
                return Err(refused(format!("it holds {next} twice")));
            }
            name = Some(next);
        } else if let Some(part) = name.and_then(|name| parts.get_mut(name)) {
            part.push_str(line);
            part.push('\n');
        }
    }
    if parts.is_empty() {
        return Err(refused(format!(
            "no line of it starts with {HEADING:?}; farquorum certs sign prints it"
        )));
    }
    Ok(parts)
}

fn certificate_der(name: &str, text: &str) -> Result<CertificateDer<'static>, TlsError> {
    CertificateDer::from_pem_slice(text.as_bytes()).map_err(|error| refused(format!("{name}: {error}")))
}

fn x509<'a>(name: &str, der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, TlsError> {
    X509Certificate::from_der(der)
        .map(|(_, certificate)| certificate)
        .map_err(|error| refused(format!("{name}: {error}")))
}

fn check_list(kind: AuthorityKind, list: &str, signer: &X509Certificate<'_>) -> Result<(), TlsError> {
    let name = authority_file(kind, "crl");
    let der = CertificateRevocationListDer::from_pem_slice(list.as_bytes())
        .map_err(|error| refused(format!("{name}: {error}")))?;
    let (_, list) =
        CertificateRevocationList::from_der(&der).map_err(|error| refused(format!("{name}: {error}")))?;
    list.verify_signature(signer.public_key())
        .map_err(|_| refused(format!("{name} is not signed by the authority beside it")))
}
