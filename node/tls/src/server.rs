//! Our own acceptor in front of tonic's `serve_with_incoming`.
//!
//! tonic's own TLS does handshakes without bounds and cannot change its certificate. Here handshakes run at once, bounded
//! in number and time, so a caller that sends garbage or nothing delays nobody; no error ends the loop; and each
//! handshake takes the configuration of its moment, so certificates change without dropping a connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;

use crate::config::{ALPN, ServerFiles};
use crate::error::TlsError;
use crate::identity::{Identity, IdentityError};
use crate::reload::Reloader;
use crate::stream::{PeerInfo, ServerStream};
use crate::verify::identity_error;

/// Finished handshakes that wait for tonic to take them: it takes them at once, so a few are enough.
const READY_MAX: usize = 16;
/// Pause after an error of accept: out of descriptors (EMFILE) does not pass by trying harder.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// Raft transport: nodes only, verified by the peer authority.
    Peer,
    /// Public services: workers, clients and admins by the client authority, nodes by the peer authority.
    Public,
}

/// Bounds of one port.
#[derive(Clone, Copy, Debug)]
pub struct AcceptLimits {
    /// Connections at once, those in handshake too; beyond it a new one is closed. At least 1.
    pub connections: usize,
    /// Handshakes at once; beyond it new connections wait in the kernel's queue. At least 1.
    pub handshakes: usize,
    /// Longest time of one handshake.
    pub handshake_timeout: Duration,
}

impl Default for AcceptLimits {
    /// 1024 connections, 128 handshakes (about a tenth of a second of one core) of at most 10 s.
    fn default() -> Self {
        Self { connections: 1024, handshakes: 128, handshake_timeout: Duration::from_secs(10) }
    }
}

/// Accepts connections on one port; clones share bounds and certificates.
#[derive(Clone)]
pub struct Acceptor {
    shared: Arc<Shared>,
}

struct Shared {
    cluster: String,
    port: Port,
    config: Arc<Reloader<ServerConfig>>,
    connections: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    handshake_timeout: Duration,
}

/// Why a caller was not let in; logged, one line each.
#[derive(Debug, Error)]
enum Refusal {
    #[error("the handshake took longer than {0:?}")]
    Slow(Duration),
    #[error("{0}")]
    Handshake(#[from] io::Error),
    #[error("{0}")]
    Identity(#[from] IdentityError),
    #[error("the caller does not speak HTTP/2 (ALPN h2)")]
    Protocol,
}

impl Refusal {
    fn of_handshake(error: io::Error) -> Self {
        identity_error(&error).map_or(Self::Handshake(error), Self::Identity)
    }
}

impl Acceptor {
    /// An acceptor with the certificates in `files`.
    ///
    /// # Errors
    /// When a file is missing or unusable, or the certificate is not that of a node of this cluster.
    pub fn new(
        cluster: &str,
        files: ServerFiles,
        port: Port,
        limits: AcceptLimits,
    ) -> Result<Self, TlsError> {
        let name = cluster.to_owned();
        let config = Reloader::new(files.paths(port), move || files.load(&name, port))?;
        let shared = Shared {
            cluster: cluster.to_owned(),
            port,
            config,
            connections: Arc::new(Semaphore::new(permits(limits.connections))),
            handshakes: Arc::new(Semaphore::new(permits(limits.handshakes))),
            handshake_timeout: limits.handshake_timeout,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Reads the files again now. New handshakes use the new certificates, open connections go on.
    ///
    /// # Errors
    /// When the files are unusable; then the last good ones stay.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.shared.config.reload()
    }

    /// Looks at the files every `interval` and reads them again when one changed, until the last clone of this
    /// acceptor is gone. Needs a tokio runtime.
    pub fn watch(&self, interval: Duration) -> JoinHandle<()> {
        self.shared.config.watch(interval)
    }

    /// The connections that come in at `listener`, after their handshakes: for `serve_with_incoming`. Ends, and closes
    /// the listener, when it is dropped. Needs a tokio runtime.
    pub fn incoming(&self, listener: TcpListener) -> ReceiverStream<io::Result<ServerStream>> {
        let (ready, taken) = mpsc::channel(READY_MAX);
        tokio::spawn(accept_loop(Arc::clone(&self.shared), listener, ready));
        ReceiverStream::new(taken)
    }
}

async fn accept_loop(
    shared: Arc<Shared>,
    listener: TcpListener,
    ready: mpsc::Sender<io::Result<ServerStream>>,
) {
    let mut failing = false;
    loop {
        let next = tokio::select! {
            () = ready.closed() => return,
            next = shared.accept(&listener) => next,
        };
        match next {
            Ok((socket, remote, slots)) => {
                failing = false;
                tokio::spawn(Arc::clone(&shared).admit(socket, remote, slots, ready.clone()));
            }
            Err(error) => {
                // Once per series: the same error comes back until its cause is gone.
                if !failing {
                    tracing::warn!(port = ?shared.port, %error, "cannot accept connections; trying on");
                }
                failing = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// What a connection in handshake holds.
struct Slots {
    connection: OwnedSemaphorePermit,
    handshake: OwnedSemaphorePermit,
}

impl Shared {
    /// The next connection that there is room for.
    async fn accept(&self, listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr, Slots)> {
        let handshake = Arc::clone(&self.handshakes).acquire_owned().await.map_err(io::Error::other)?;
        loop {
            let (socket, remote) = listener.accept().await?;
            match Arc::clone(&self.connections).try_acquire_owned() {
                Ok(connection) => return Ok((socket, remote, Slots { connection, handshake })),
                Err(_) => tracing::warn!(port = ?self.port, %remote, "connection refused: the port is full"),
            }
        }
    }

    async fn admit(
        self: Arc<Self>,
        socket: TcpStream,
        remote: SocketAddr,
        slots: Slots,
        ready: mpsc::Sender<io::Result<ServerStream>>,
    ) {
        let Slots { connection, handshake } = slots;
        let result = tokio::time::timeout(self.handshake_timeout, self.handshake(socket)).await;
        drop(handshake);
        match result.unwrap_or(Err(Refusal::Slow(self.handshake_timeout))) {
            Ok((stream, identity)) => {
                tracing::debug!(port = ?self.port, %remote, %identity, "connected");
                let stream = ServerStream::new(stream, PeerInfo { identity, remote }, connection);
                // An error means that the server is shutting down: the stream is closed by being dropped.
                let _ = ready.send(Ok(stream)).await;
            }
            Err(reason) => tracing::warn!(port = ?self.port, %remote, %reason, "connection refused"),
        }
    }

    async fn handshake(
        &self,
        socket: TcpStream,
    ) -> Result<(tokio_rustls::server::TlsStream<TcpStream>, Identity), Refusal> {
        socket.set_nodelay(true)?;
        let stream =
            TlsAcceptor::from(self.config.current()).accept(socket).await.map_err(Refusal::of_handshake)?;
        let (_, session) = stream.get_ref();
        if session.alpn_protocol() != Some(ALPN) {
            return Err(Refusal::Protocol);
        }
        let certificate = session.peer_certificates().and_then(|chain| chain.first());
        let certificate = certificate.ok_or(IdentityError::Count { found: 0 })?;
        let identity = Identity::from_certificate(certificate)?.require_cluster(&self.cluster)?;
        Ok((stream, identity))
    }
}

/// None at all would never let anybody in; more than this is not a bound, and panics.
fn permits(bound: usize) -> usize {
    bound.clamp(1, Semaphore::MAX_PERMITS)
}
