//! Plain HTTP servers with bounds. Whoever reaches the port may connect and say nothing: such a connection ends soon, and
//! there are never more than a fixed number of them, so that probes and scrapers get their turn.
#![forbid(unsafe_code)]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1::Builder;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Longest time that running requests get when the server stops.
const DRAIN_TIME: Duration = Duration::from_secs(5);
/// Pause after a failed accept (out of file descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once, at least one; further ones wait in the kernel's queue.
    pub connections: usize,
    /// Longest time for the head of a request, and between two requests of one connection.
    pub header_timeout: Duration,
}

impl Limits {
    /// So many connections; 15 s for the head of a request.
    pub fn of(connections: usize) -> Self {
        Self { connections, header_timeout: Duration::from_secs(15) }
    }
}

/// Serves these routes; see [`serve`].
pub async fn serve_router(listener: TcpListener, routes: Router, limits: Limits, stop: CancellationToken) {
    serve(listener, TowerToHyperService::new(routes), limits, stop).await;
}

/// Serves until `stop`, then lets running requests end for five seconds. HTTP/1.1 only: a server that takes HTTP/2
/// as well reads first which of them it is, and hyper bounds no time for that.
pub async fn serve<S, B>(listener: TcpListener, service: S, limits: Limits, stop: CancellationToken)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let slots = Arc::new(Semaphore::new(limits.connections.max(1)));
    let connections = TaskTracker::new();
    while let Some((stream, slot)) = next_connection(&listener, &slots, &stop).await {
        let (service, stop) = (service.clone(), stop.clone());
        connections.spawn(async move {
            connection(stream, service, limits.header_timeout, stop).await;
            drop(slot);
        });
    }
    connections.close();
    connections.wait().await;
}

/// Waits for a free slot, then for a connection; none when the server stops.
async fn next_connection(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let accept = async {
        let slot = slots.clone().acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, slot)),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an HTTP connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    stop.run_until_cancelled(accept).await.flatten()
}

async fn connection<S, B>(stream: TcpStream, service: S, header_timeout: Duration, stop: CancellationToken)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // Answers are small or large, never worth waiting for more to send.
    let _ = stream.set_nodelay(true);
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(header_timeout);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(DRAIN_TIME, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "HTTP connection ended");
    }
}
