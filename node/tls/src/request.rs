//! Signing requests: a host makes its key and asks (PKCS #10), whoever holds the authority signs. The key never leaves
//! the host, so no image, plan, state or store ever holds it.
//!
//! Only the key and the names are taken from a request; validity and usages are the authority's own. A name that nobody
//! allowed is refused, and so is a second key for a holder that has one: a host that was made anew, or a stranger.

use std::path::{Path, PathBuf};

use rcgen::{
    CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, IsCa, PublicKey,
    PublicKeyData, SanType,
};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::authority::{Authority, AuthorityKind, LOCALHOST, making, names, new_key, own_key};
use crate::error::TlsError;
use crate::files::{self, Layout, PUBLIC, SECRET};
use crate::identity::{Identity, IdentityError, Role};

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// Its cluster.
    pub cluster: &'a str,
    /// What it may be.
    pub role: Role,
    /// Its name, and that of its files.
    pub name: &'a str,
    /// Further DNS names and IP addresses by which a node is reached.
    pub sans: &'a [String],
}

/// A request that was made.
#[derive(Clone, Debug)]
pub struct Requested {
    /// Who asks.
    pub identity: Identity,
    /// The request in PEM.
    pub pem: String,
    /// SHA-256 of the public key in hexadecimal, to compare with what the signer sees.
    pub fingerprint: String,
    /// The private key, mode 0600: made, or the one that was there.
    pub key: PathBuf,
}

/// Asks for a certificate: with the holder's key in `dir`, which is made when it is not there.
///
/// # Errors
/// When a name is not allowed, or the key cannot be read or written.
pub fn request(dir: &Path, holder: &Holder<'_>) -> Result<Requested, TlsError> {
    let identity = Identity::new(holder.cluster, holder.role, holder.name)?;
    let path = Layout::new(dir).key(holder.name);
    let mut params =
        CertificateParams::new(Vec::<String>::new()).map_err(making("certificate parameters"))?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, holder.name);
    params.subject_alt_names = names(&identity, holder.sans)?;
    let key = if path.exists() {
        own_key(&path)?
    } else {
        let key = new_key()?;
        files::write(&path, SECRET, &key.serialize_pem())?;
        key
    };
    let request = params.serialize_request(&key).map_err(making("the signing request"))?;
    let pem = request.pem().map_err(making("the signing request"))?;
    Ok(Requested { identity, pem, fingerprint: fingerprint(&key), key: path })
}

/// SHA-256 of a public key (SubjectPublicKeyInfo) in hexadecimal.
pub(crate) fn fingerprint(key: &impl PublicKeyData) -> String {
    hex::encode(Sha256::digest(key.subject_public_key_info()))
}

/// The same of a certificate's key.
pub(crate) fn fingerprint_of(certificate: &X509Certificate<'_>) -> String {
    hex::encode(Sha256::digest(certificate.public_key().raw))
}

/// A request as the signer reads it. Its signature was checked: whoever asks holds the key.
#[derive(Clone, Debug)]
pub struct SigningRequest {
    /// Who asks.
    pub identity: Identity,
    /// The names that it asks for, beyond those that each node has.
    pub sans: Vec<String>,
    /// SHA-256 of its public key in hexadecimal.
    pub fingerprint: String,
    key: PublicKey,
}

impl SigningRequest {
    /// Reads a request in PEM.
    ///
    /// # Errors
    /// When it is none, its signature is not by its key, or it asks for what no holder can have.
    pub fn parse(pem: &str) -> Result<Self, TlsError> {
        let refused = |reason: String| TlsError::Request(format!("the signing request {reason}"));
        let asked = CertificateSigningRequestParams::from_pem(pem)
            .map_err(|error| refused(format!("is not usable: {error}")))?;
        if matches!(asked.params.is_ca, IsCa::Ca(_)) {
            return Err(refused("asks to be an authority".to_owned()));
        }
        let (mut uris, mut sans) = (Vec::new(), Vec::new());
        for name in &asked.params.subject_alt_names {
            match name {
                SanType::URI(uri) => uris.push(uri.to_string()),
                SanType::DnsName(name) => sans.push(name.to_string()),
                SanType::IpAddress(address) => sans.push(address.to_string()),
                other => return Err(refused(format!("asks for a name that is not known here: {other:?}"))),
            }
        }
        let [uri] = uris.as_slice() else { return Err(IdentityError::Count { found: uris.len() }.into()) };
        let identity: Identity = uri.parse()?;
        sans.retain(|name| *name != identity.name && name != LOCALHOST);
        Ok(Self { fingerprint: fingerprint(&asked.public_key), identity, sans, key: asked.public_key })
    }
}

/// On which terms a request is signed.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Validity in days, 1 to 825.
    pub days: u32,
    /// Names that the holder may ask for, beyond those that each node has.
    pub allowed: &'a [String],
    /// Signs another key than the one that the holder's certificate in the folder has.
    pub force: bool,
}

/// What was signed.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Who the holder is.
    pub identity: Identity,
    /// Its certificate in the signer's folder: the record of what was signed.
    pub certificate: PathBuf,
    /// It had one for the same key before.
    pub renewed: bool,
}

/// Signs a request with the authorities in `dir`, and keeps the certificate there.
///
/// # Errors
/// When the authority is not there, the identity is of another cluster, a name was not allowed, or the holder has a
/// certificate for another key (without `force`).
pub fn sign(dir: &Path, request: &SigningRequest, terms: &Terms<'_>) -> Result<Signed, TlsError> {
    let identity = &request.identity;
    let extra: Vec<&str> =
        request.sans.iter().filter(|name| !terms.allowed.contains(name)).map(String::as_str).collect();
    if !extra.is_empty() {
        let allowed = if terms.allowed.is_empty() { "no name".to_owned() } else { terms.allowed.join(", ") };
        return Err(TlsError::Request(format!(
            "{identity} asks for {}, but may have {allowed}, besides its own",
            extra.join(", ")
        )));
    }
    let path = Layout::new(dir).certificate(&identity.name);
    let before = present(&path)?;
    let renewed = before.as_ref() == Some(&request.fingerprint);
    if before.is_some() && !renewed && !terms.force {
        return Err(TlsError::Exists { path });
    }
    let authority = Authority::load(dir, AuthorityKind::of(identity.role))?;
    let pem = authority.certify(identity, &request.sans, terms.days, &request.key)?;
    files::write(&path, PUBLIC, &pem)?;
    Ok(Signed { identity: identity.clone(), certificate: path, renewed })
}

/// Fingerprint of the key in a certificate's file; none when the file is not there.
fn present(path: &Path) -> Result<Option<String>, TlsError> {
    if !path.exists() {
        return Ok(None);
    }
    let der = files::read_certificates(path)?.swap_remove(0);
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|error| TlsError::Content {
        path: path.to_owned(),
        what: "certificate",
        reason: error.to_string(),
    })?;
    Ok(Some(fingerprint_of(&certificate)))
}
