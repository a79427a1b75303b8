//! From files to rustls configurations: TLS 1.3 only, ALPN `h2`, ring named explicitly, no resumption.
//!
//! Resumption is off on both sides because a resumed session is not verified again: a revoked certificate would go on
//! to connect.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use time::OffsetDateTime;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use crate::authority::AuthorityKind;
use crate::error::TlsError;
use crate::files::{self, Layout};
use crate::identity::{Identity, IdentityError};
use crate::server::Port;
use crate::verify::{CallerVerifier, NodeVerifier};

/// The only application protocol: HTTP/2. grpc-go since 1.67 and grpcio refuse a server that does not negotiate it.
pub(crate) const ALPN: &[u8] = b"h2";

/// An authority as others see it: no key.
#[derive(Clone, Debug)]
pub struct AuthorityFiles {
    /// Its certificate.
    pub certificate: PathBuf,
    /// Its revocation list; none: revocation is not checked.
    pub crl: Option<PathBuf>,
}

impl AuthorityFiles {
    /// The files of an authority in a folder of certificates.
    pub fn in_dir(dir: &Path, kind: AuthorityKind) -> Self {
        let layout = Layout::new(dir);
        Self { certificate: layout.authority_certificate(kind), crl: Some(layout.authority_crl(kind)) }
    }

    /// An authority's certificate, and the revocation list beside it (same name, `.crl`) when there is one.
    pub fn beside(certificate: &Path) -> Self {
        let crl = certificate.with_extension("crl");
        Self { certificate: certificate.to_owned(), crl: crl.is_file().then_some(crl) }
    }

    fn paths(&self) -> impl Iterator<Item = PathBuf> {
        std::iter::once(self.certificate.clone()).chain(self.crl.clone())
    }
}

/// What a node serves with.
#[derive(Clone, Debug)]
pub struct ServerFiles {
    /// Its certificate, by the peer authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Verifies nodes.
    pub peer_ca: AuthorityFiles,
    /// Verifies workers, clients and admins; not used on [`Port::Peer`].
    pub client_ca: AuthorityFiles,
}

impl ServerFiles {
    /// The files of node `name` in a folder of certificates.
    pub fn in_dir(dir: &Path, name: &str) -> Self {
        let layout = Layout::new(dir);
        Self {
            certificate: layout.certificate(name),
            key: layout.key(name),
            peer_ca: AuthorityFiles::in_dir(dir, AuthorityKind::Peer),
            client_ca: AuthorityFiles::in_dir(dir, AuthorityKind::Client),
        }
    }

    pub(crate) fn paths(&self, port: Port) -> Vec<PathBuf> {
        let clients = (port == Port::Public).then(|| self.client_ca.paths()).into_iter().flatten();
        [self.certificate.clone(), self.key.clone()]
            .into_iter()
            .chain(self.peer_ca.paths())
            .chain(clients)
            .collect()
    }

    pub(crate) fn load(&self, cluster: &str, port: Port) -> Result<ServerConfig, TlsError> {
        let chain = files::read_certificates(&self.certificate)?;
        let key = files::read_key(&self.key)?;
        own_identity(&self.certificate, cluster, &chain)?
            .require_node()
            .map_err(|source| TlsError::Identity { path: self.certificate.clone(), source })?;
        let peers = caller_verifier(&self.peer_ca)?;
        let clients = match port {
            Port::Peer => None,
            Port::Public => Some(caller_verifier(&self.client_ca)?),
        };
        let verifier = Arc::new(CallerVerifier::new(cluster, peers, clients));
        let unusable = |error: rustls::Error| unusable(&self.certificate, &error);
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(unusable)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(unusable)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(config)
    }
}

/// What a node, worker or client calls with.
#[derive(Clone, Debug)]
pub struct ClientFiles {
    /// Its certificate, of any role.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Verifies nodes: the peer authority.
    pub peer_ca: AuthorityFiles,
}

impl ClientFiles {
    /// The files of holder `name` in a folder of certificates.
    pub fn in_dir(dir: &Path, name: &str) -> Self {
        let layout = Layout::new(dir);
        Self {
            certificate: layout.certificate(name),
            key: layout.key(name),
            peer_ca: AuthorityFiles::in_dir(dir, AuthorityKind::Peer),
        }
    }

    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        [self.certificate.clone(), self.key.clone()].into_iter().chain(self.peer_ca.paths()).collect()
    }

    pub(crate) fn load(&self, cluster: &str) -> Result<ClientConfig, TlsError> {
        let chain = files::read_certificates(&self.certificate)?;
        let key = files::read_key(&self.key)?;
        own_identity(&self.certificate, cluster, &chain)?;
        let (roots, crls) = trust(&self.peer_ca)?;
        let nodes = WebPkiServerVerifier::builder_with_provider(roots, provider())
            .with_crls(crls)
            .build()
            .map_err(|error| unusable(&self.peer_ca.certificate, &error))?;
        let unusable = |error: rustls::Error| unusable(&self.certificate, &error);
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(unusable)?
            .dangerous() // Stricter than the default verifier, which it wraps.
            .with_custom_certificate_verifier(Arc::new(NodeVerifier::new(cluster, nodes)))
            .with_client_auth_cert(chain, key)
            .map_err(unusable)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn own_identity(
    path: &Path,
    cluster: &str,
    chain: &[rustls::pki_types::CertificateDer<'_>],
) -> Result<Identity, TlsError> {
    let own = chain
        .first()
        .ok_or(IdentityError::Count { found: 0 })
        .and_then(|own| Identity::from_certificate(own));
    own.and_then(|own| own.require_cluster(cluster))
        .map_err(|source| TlsError::Identity { path: path.to_owned(), source })
}

fn caller_verifier(ca: &AuthorityFiles) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let (roots, crls) = trust(ca)?;
    WebPkiClientVerifier::builder_with_provider(roots, provider())
        .with_crls(crls)
        .build()
        .map_err(|error| unusable(&ca.certificate, &error))
}

type Trust = (Arc<RootCertStore>, Vec<CertificateRevocationListDer<'static>>);

fn trust(ca: &AuthorityFiles) -> Result<Trust, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in files::read_certificates(&ca.certificate)? {
        roots.add(certificate).map_err(|error| unusable(&ca.certificate, &error))?;
    }
    let crls = match &ca.crl {
        None => Vec::new(),
        Some(path) => {
            let crl = files::read_crl(path)?;
            warn_expired(path, &crl);
            vec![crl]
        }
    };
    Ok((Arc::new(roots), crls))
}

/// An expired list is used on: refusing every handshake would stop the quorum over a missed renewal.
fn warn_expired(path: &Path, crl: &[u8]) {
    let next = CertificateRevocationList::from_der(crl).ok().and_then(|(_, crl)| crl.next_update());
    if let Some(next) = next
        && next.timestamp() < OffsetDateTime::now_utc().unix_timestamp()
    {
        tracing::warn!(path = %path.display(), next_update = %next, "the revocation list has expired; it is used on");
    }
}

fn unusable(path: &Path, error: &dyn std::error::Error) -> TlsError {
    TlsError::Unusable { path: path.to_owned(), reason: error.to_string() }
}
