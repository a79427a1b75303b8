//! Who may connect: rustls-webpki checks signature, validity, revocation and use; this checks identity and role.
//!
//! The role decides which authority must have signed: a certificate that says `node` counts only when the peer authority
//! signed it, and no other does when the peer authority did. So neither authority can make what is the other's.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};

use crate::identity::{Identity, IdentityError, Role};

/// Verifies who calls a node.
#[derive(Debug)]
pub(crate) struct CallerVerifier {
    cluster: Arc<str>,
    /// For role node.
    peers: Arc<dyn ClientCertVerifier>,
    /// For all other roles; none: they have no business on this port.
    clients: Option<Arc<dyn ClientCertVerifier>>,
    hints: Vec<DistinguishedName>,
}

impl CallerVerifier {
    pub(crate) fn new(
        cluster: &str,
        peers: Arc<dyn ClientCertVerifier>,
        clients: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Self {
        let clients_hints = clients.iter().flat_map(|verifier| verifier.root_hint_subjects());
        let hints = peers.root_hint_subjects().iter().chain(clients_hints).cloned().collect();
        Self { cluster: cluster.into(), peers, clients, hints }
    }

    fn authority_for(&self, certificate: &[u8]) -> Result<&Arc<dyn ClientCertVerifier>, IdentityError> {
        let caller = Identity::from_certificate(certificate)?.require_cluster(&self.cluster)?;
        match (caller.role, &self.clients) {
            (Role::Node, _) => Ok(&self.peers),
            (Role::Worker | Role::Client | Role::Admin, Some(clients)) => Ok(clients),
            (Role::Worker | Role::Client | Role::Admin, None) => {
                Err(IdentityError::WrongRole { identity: caller, allowed: "node" })
            }
        }
    }
}

impl ClientCertVerifier for CallerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let authority = self.authority_for(end_entity).map_err(refused)?;
        authority.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.peers.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.peers.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.peers.supported_verify_schemes()
    }
}

/// Verifies that a node of this cluster answers.
#[derive(Debug)]
pub(crate) struct NodeVerifier {
    cluster: Arc<str>,
    authority: Arc<WebPkiServerVerifier>,
}

impl NodeVerifier {
    pub(crate) fn new(cluster: &str, authority: Arc<WebPkiServerVerifier>) -> Self {
        Self { cluster: cluster.into(), authority }
    }
}

impl ServerCertVerifier for NodeVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Identity::from_certificate(end_entity)
            .and_then(|node| node.require_cluster(&self.cluster))
            .and_then(Identity::require_node)
            .map_err(refused)?;
        self.authority.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authority.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.authority.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authority.supported_verify_schemes()
    }
}

fn refused(error: IdentityError) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
}

/// Our own reason in a handshake that failed for it; rustls would show it in a form for programmers.
pub(crate) fn identity_error(error: &std::io::Error) -> Option<IdentityError> {
    match error.get_ref()?.downcast_ref()? {
        Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => {
            inner.downcast_ref().cloned()
        }
        _ => None,
    }
}
