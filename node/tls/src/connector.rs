//! Our own connector for tonic's `Endpoint::connect_with_connector`: TCP, then TLS 1.3 with a client certificate, and
//! the server must be the node that is meant.
//!
//! URIs are `http://host:port`, since TLS happens here. The address and the name are apart: from outside the lab a
//! client dials `127.0.0.1:40001` and still verifies that `cp-aws-1` answers.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use farquorum_config::{Detours, NoDetour};
use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::io::AsyncBufReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::config::{ALPN, ClientFiles};
use crate::error::TlsError;
use crate::identity::{Identity, IdentityError};
use crate::reload::Reloader;
use crate::verify::identity_error;

/// An open connection to a node.
pub type ClientStream = tokio_rustls::client::TlsStream<TcpStream>;

/// Time for TCP, TLS and the server's first bytes when nothing else is said.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The certificates that somebody calls with; clones share them.
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<Reloader<ClientConfig>>,
    detours: Arc<Detours>,
}

impl ClientTls {
    /// Reads the certificates in `files`.
    ///
    /// # Errors
    /// When a file is missing or unusable, or the certificate is not of this cluster.
    pub fn new(cluster: &str, files: ClientFiles) -> Result<Self, TlsError> {
        let cluster = cluster.to_owned();
        let config = Reloader::new(files.paths(), move || files.load(&cluster))?;
        Ok(Self { config, detours: Arc::default() })
    }

    /// Reaches addresses by these detours; who answers must be the one that the address stands for.
    #[must_use]
    pub fn by(mut self, detours: Detours) -> Self {
        self.detours = Arc::new(detours);
        self
    }

    /// Reads the files again now; new connections use the new certificates.
    ///
    /// # Errors
    /// When the files are unusable; then the last good ones stay.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.config.reload()
    }

    /// Looks at the files every `interval` and reads them again when one changed, until the last user of these
    /// certificates is gone. Needs a tokio runtime.
    pub fn watch(&self, interval: Duration) -> JoinHandle<()> {
        self.config.watch(interval)
    }

    /// Connects to the node with this name, wherever the URI says it is.
    pub fn to_node(&self, name: &str) -> Connector {
        self.connector(Some(name.into()))
    }

    /// Connects to whichever node has the URI's host as a name or address in its certificate.
    pub fn to_host(&self) -> Connector {
        self.connector(None)
    }

    fn connector(&self, node: Option<Arc<str>>) -> Connector {
        Connector { tls: self.clone(), node, timeout: CONNECT_TIMEOUT, confirmed: false }
    }
}

/// Dials nodes; a [`tower::Service`] of URIs.
#[derive(Clone)]
pub struct Connector {
    tls: ClientTls,
    node: Option<Arc<str>>,
    timeout: Duration,
    confirmed: bool,
}

/// Why there is no connection. Nothing was sent over it.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The URI has no host or port.
    #[error("{uri} is not of the form http://host:port")]
    Uri {
        /// The URI.
        uri: Uri,
    },
    /// Neither a DNS name nor an IP address.
    #[error("{name:?} is not a name that a certificate can carry")]
    Name {
        /// The name.
        name: String,
    },
    /// The configuration has detours, and none for this address.
    #[error(transparent)]
    Detour(#[from] NoDetour),
    /// TCP failed.
    #[error("cannot reach {address}: {source}")]
    Dial {
        /// host:port.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// Not done in time.
    #[error("{address} did not answer within {after:.1?}")]
    Timeout {
        /// host:port.
        address: String,
        /// How long it was tried.
        after: Duration,
    },
    /// One side did not accept the other's certificate, or does not speak TLS 1.3.
    #[error("no TLS with {address}: {source}")]
    Handshake {
        /// host:port.
        address: String,
        /// Why; "received fatal alert" means that the node refused this certificate.
        source: io::Error,
    },
    /// Not the node that is meant.
    #[error("{address}: {source}")]
    Identity {
        /// host:port.
        address: String,
        /// Who it is.
        source: IdentityError,
    },
    /// No HTTP/2 there.
    #[error("{address} does not speak HTTP/2 (ALPN h2)")]
    Protocol {
        /// host:port.
        address: String,
    },
}

impl ConnectError {
    /// Whether the node refused this caller's certificate: another node of the cluster would do the same.
    pub fn is_refusal(&self) -> bool {
        let Self::Handshake { source, .. } = self else { return false };
        let tls = source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        matches!(tls, Some(rustls::Error::AlertReceived(_)))
    }
}

impl Connector {
    /// Longest time for the whole connection: TCP, TLS, and the first bytes when `confirmed`.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Waits for the server's first bytes (its HTTP/2 settings) before the connection counts. In TLS 1.3 a client is
    /// done before the server has looked at its certificate; with this, a refusal is an error here, where it is certain
    /// that no request was sent, and not in the first request. Costs one round trip.
    #[must_use]
    pub fn confirmed(mut self) -> Self {
        self.confirmed = true;
        self
    }

    /// Connects.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(&self, uri: Uri) -> Result<ClientStream, ConnectError> {
        let (Some(host), Some(port)) = (uri.host(), uri.port_u16()) else {
            return Err(ConnectError::Uri { uri });
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let address = format!("{host}:{port}");
        let attempt = tokio::time::timeout(self.timeout, self.dial(host, port, &address)).await;
        attempt.unwrap_or(Err(ConnectError::Timeout { address, after: self.timeout }))
    }

    async fn dial(&self, host: &str, port: u16, address: &str) -> Result<ClientStream, ConnectError> {
        let name = self.node.as_deref().unwrap_or(host);
        let server = ServerName::try_from(name.to_owned())
            .map_err(|_| ConnectError::Name { name: name.to_owned() })?;
        let dial = |source| ConnectError::Dial { address: address.to_owned(), source };
        let socket = if self.tls.detours.is_empty() {
            TcpStream::connect((host, port)).await.map_err(dial)?
        } else {
            TcpStream::connect(self.tls.detours.of(address)?).await.map_err(dial)?
        };
        socket.set_nodelay(true).map_err(dial)?;
        let handshake = |source: io::Error| match identity_error(&source) {
            Some(source) => ConnectError::Identity { address: address.to_owned(), source },
            None => ConnectError::Handshake { address: address.to_owned(), source },
        };
        let tls = TlsConnector::from(self.tls.config.current());
        let mut stream = tls.connect(server, socket).await.map_err(handshake)?;
        self.check(&stream, address)?;
        if self.confirmed && stream.fill_buf().await.map_err(handshake)?.is_empty() {
            return Err(handshake(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(stream)
    }

    /// What the verifier, which knows no names, leaves: the protocol, and which node this is.
    fn check(&self, stream: &ClientStream, address: &str) -> Result<(), ConnectError> {
        let (_, session) = stream.get_ref();
        if session.alpn_protocol() != Some(ALPN) {
            return Err(ConnectError::Protocol { address: address.to_owned() });
        }
        let Some(expected) = self.node.as_deref() else { return Ok(()) };
        let identity = |source| ConnectError::Identity { address: address.to_owned(), source };
        let certificate = session.peer_certificates().and_then(|chain| chain.first());
        let certificate = certificate.ok_or_else(|| identity(IdentityError::Count { found: 0 }))?;
        let node = Identity::from_certificate(certificate).map_err(identity)?;
        if node.name == expected {
            return Ok(());
        }
        Err(identity(IdentityError::WrongName { identity: node, expected: expected.to_owned() }))
    }
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<ClientStream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { this.connect(uri).await.map(TokioIo::new) })
    }
}
