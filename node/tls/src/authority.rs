//! The two authorities of a cluster, and what they sign.
//!
//! An authority is made with an empty revocation list, so that verifiers check revocation from the first day. It signs
//! only the roles of its kind, and only identities of its own cluster, whose name stands in its subject. Validity comes
//! from the wall clock of the machine that issues.

use std::path::{Path, PathBuf};

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::error::TlsError;
use crate::files::{self, Layout, PUBLIC, SECRET};
use crate::identity::{Identity, Role};

/// How long an authority and its first revocation list hold.
const AUTHORITY_DAYS: i64 = 3650;
/// Longest validity of a certificate, in days.
const CERTIFICATE_DAYS_MAX: u32 = 825;
/// A name that every node answers to.
pub(crate) const LOCALHOST: &str = "localhost";
/// Validity starts this much earlier, for clocks that are behind.
const CLOCK_SKEW: Duration = Duration::minutes(5);

/// Which of the two authorities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorityKind {
    /// Signs nodes.
    Peer,
    /// Signs workers, clients and admins.
    Client,
}

impl AuthorityKind {
    /// The authority that signs a role.
    pub fn of(role: Role) -> Self {
        match role {
            Role::Node => Self::Peer,
            Role::Worker | Role::Client | Role::Admin => Self::Client,
        }
    }

    /// Its name in file names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Client => "client",
        }
    }
}

/// What to issue.
#[derive(Clone, Debug)]
pub struct IssueRequest<'a> {
    /// What the holder may be; decides which authority signs.
    pub role: Role,
    /// Name of the holder, and of the files.
    pub name: &'a str,
    /// Further DNS names and IP addresses by which a node is reached; its own name and `localhost` are always there.
    pub sans: &'a [String],
    /// Validity in days, 1 to 825.
    pub days: u32,
    /// Replaces a pair that is there.
    pub force: bool,
}

/// What was issued, and where it is.
#[derive(Clone, Debug)]
pub struct Issued {
    /// Who the holder is.
    pub identity: Identity,
    /// Its certificate.
    pub certificate: PathBuf,
    /// Its private key, mode 0600.
    pub key: PathBuf,
}

/// Makes both authorities of a cluster below `dir`.
///
/// # Errors
/// When a file of either is already there (then nothing is made), the name is not allowed, or writing fails.
pub fn init(dir: &Path, cluster: &str) -> Result<(), TlsError> {
    let layout = Layout::new(dir);
    for kind in [AuthorityKind::Peer, AuthorityKind::Client] {
        refuse_authority(&layout, kind)?;
    }
    Authority::create(dir, cluster, AuthorityKind::Peer)?;
    Authority::create(dir, cluster, AuthorityKind::Client)?;
    Ok(())
}

/// Issues a pair into `dir`, signed by the authority of the role that is there.
///
/// # Errors
/// When the authority is not there or not readable, the request is not allowed, or the files are there without `force`.
pub fn issue(dir: &Path, request: &IssueRequest<'_>) -> Result<Issued, TlsError> {
    Authority::load(dir, AuthorityKind::of(request.role))?.issue(dir, request)
}

/// An authority with its key.
pub struct Authority {
    kind: AuthorityKind,
    cluster: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes an authority: key, certificate, empty revocation list.
    ///
    /// # Errors
    /// When one of its files is already there, the cluster's name is not allowed, or writing fails.
    pub fn create(dir: &Path, cluster: &str, kind: AuthorityKind) -> Result<Self, TlsError> {
        Identity::new(cluster, Role::Node, "authority")?;
        let layout = Layout::new(dir);
        refuse_authority(&layout, kind)?;
        let key = new_key()?;
        let key_pem = key.serialize_pem();
        let params = authority_params(cluster, kind, &key)?;
        let certificate = params.self_signed(&key).map_err(making("the authority's certificate"))?;
        let issuer = Issuer::new(params, key);
        let crl = empty_crl(&issuer)?;
        files::write(&layout.authority_key(kind), SECRET, &key_pem)?;
        files::write(&layout.authority_crl(kind), PUBLIC, &crl)?;
        files::write(&layout.authority_certificate(kind), PUBLIC, &certificate.pem())?;
        Ok(Self { kind, cluster: cluster.to_owned(), issuer })
    }

    /// Loads an authority with its key.
    ///
    /// # Errors
    /// When its files are not there or not usable.
    pub fn load(dir: &Path, kind: AuthorityKind) -> Result<Self, TlsError> {
        let layout = Layout::new(dir);
        let path = layout.authority_certificate(kind);
        let key_path = layout.authority_key(kind);
        let der = files::read_certificates(&path)?.swap_remove(0);
        let unusable = |reason: String| TlsError::Content { path: path.clone(), what: "authority", reason };
        let key = own_key(&key_path)?;
        let cluster = cluster_of(&der).ok_or_else(|| unusable("its subject names no cluster".to_owned()))?;
        let issuer = Issuer::from_ca_cert_der(&der, key).map_err(|error| unusable(error.to_string()))?;
        Ok(Self { kind, cluster, issuer })
    }

    /// The cluster whose identities it signs.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Issues a pair into `dir`.
    ///
    /// # Errors
    /// When the role is not this authority's, the request is not allowed, or the files are there without `force`.
    pub fn issue(&self, dir: &Path, request: &IssueRequest<'_>) -> Result<Issued, TlsError> {
        let identity = Identity::new(&self.cluster, request.role, request.name)?;
        self.require_kind(request.role)?;
        let layout = Layout::new(dir);
        let (certificate_path, key_path) = (layout.certificate(request.name), layout.key(request.name));
        if !request.force {
            files::refuse_existing(&[&certificate_path, &key_path])?;
        }
        let params = holder_params(&identity, request.sans, request.days)?;
        let key = new_key()?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(making("the certificate"))?;
        files::write_pair((&key_path, &key.serialize_pem()), (&certificate_path, &certificate.pem()))?;
        Ok(Issued { identity, certificate: certificate_path, key: key_path })
    }

    /// Signs a key that somebody else holds, for an identity of this cluster, and gives the certificate's PEM.
    ///
    /// # Errors
    /// When the identity is of another cluster or not this authority's to sign, or the names or days are not allowed.
    pub(crate) fn certify(
        &self,
        identity: &Identity,
        sans: &[String],
        days: u32,
        key: &impl PublicKeyData,
    ) -> Result<String, TlsError> {
        let identity = identity.clone().require_cluster(&self.cluster)?;
        self.require_kind(identity.role)?;
        let params = holder_params(&identity, sans, days)?;
        Ok(params.signed_by(key, &self.issuer).map_err(making("the certificate"))?.pem())
    }

    fn require_kind(&self, role: Role) -> Result<(), TlsError> {
        if AuthorityKind::of(role) == self.kind {
            return Ok(());
        }
        Err(TlsError::Request(format!("the {} authority does not sign role {role}", self.kind.as_str())))
    }
}

fn refuse_authority(layout: &Layout, kind: AuthorityKind) -> Result<(), TlsError> {
    let paths = [layout.authority_key(kind), layout.authority_certificate(kind), layout.authority_crl(kind)];
    files::refuse_existing(&[&paths[0], &paths[1], &paths[2]])
}

/// The subject carries the start of the key's hash: two authorities never have the same name, so a certificate of an old
/// or foreign one is refused as such ("unknown issuer") and not for its signature.
fn authority_params(
    cluster: &str,
    kind: AuthorityKind,
    key: &KeyPair,
) -> Result<CertificateParams, TlsError> {
    let mut params = valid_for(Duration::days(AUTHORITY_DAYS))?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::OrganizationName, cluster);
    let hash = hex::encode(Sha256::digest(key.public_key_raw()));
    let name = format!("Farquorum {} authority {hash:.8}", kind.as_str());
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

fn holder_params(identity: &Identity, sans: &[String], days: u32) -> Result<CertificateParams, TlsError> {
    if days == 0 || days > CERTIFICATE_DAYS_MAX {
        return Err(TlsError::Request(format!(
            "{days} days of validity; 1 to {CERTIFICATE_DAYS_MAX} are allowed"
        )));
    }
    let mut params = valid_for(Duration::days(days.into()))?;
    params.distinguished_name.push(DnType::CommonName, identity.name.as_str());
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if identity.role == Role::Node {
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    }
    params.subject_alt_names = names(identity, sans)?;
    Ok(params)
}

/// The names in a holder's certificate: its identity; for a node also its own name and `localhost`; then `sans`.
pub(crate) fn names(identity: &Identity, sans: &[String]) -> Result<Vec<SanType>, TlsError> {
    let mut names = vec![SanType::URI(ia5(&identity.to_string())?)];
    if identity.role == Role::Node {
        names.push(SanType::DnsName(ia5(&identity.name)?));
        names.push(SanType::DnsName(ia5(LOCALHOST)?));
    }
    for name in sans {
        let san = match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(ia5(name)?),
        };
        if !names.contains(&san) {
            names.push(san);
        }
    }
    Ok(names)
}

fn valid_for(length: Duration) -> Result<CertificateParams, TlsError> {
    let now = OffsetDateTime::now_utc();
    let mut params =
        CertificateParams::new(Vec::<String>::new()).map_err(making("certificate parameters"))?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.not_before = now - CLOCK_SKEW;
    params.not_after = now + length;
    Ok(params)
}

fn empty_crl(issuer: &Issuer<'_, KeyPair>) -> Result<String, TlsError> {
    let now = OffsetDateTime::now_utc();
    let params = CertificateRevocationListParams {
        this_update: now - CLOCK_SKEW,
        next_update: now + Duration::days(AUTHORITY_DAYS),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(issuer).and_then(|crl| crl.pem()).map_err(making("the revocation list"))
}

/// The key pair in a file.
pub(crate) fn own_key(path: &Path) -> Result<KeyPair, TlsError> {
    KeyPair::from_pem(&files::read(path)?).map_err(|error| TlsError::Content {
        path: path.to_owned(),
        what: "private key",
        reason: error.to_string(),
    })
}

pub(crate) fn new_key() -> Result<KeyPair, TlsError> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(making("a private key"))
}

pub(crate) fn cluster_of(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let cluster = certificate.subject().iter_organization().next()?.as_str().ok()?;
    Some(cluster.to_owned())
}

fn ia5(text: &str) -> Result<Ia5String, TlsError> {
    Ia5String::try_from(text).map_err(making("a subject alternative name"))
}

pub(crate) fn making(what: &'static str) -> impl Fn(rcgen::Error) -> TlsError {
    move |source| TlsError::Make { what, source }
}
