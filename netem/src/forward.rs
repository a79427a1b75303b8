//! The way from the host's network into the lab: listeners on 127.0.0.1 that were bound before the supervisor left
//! the host's network go on accepting there, and each connection is copied to an address inside the lab, as if the
//! operator's host had made it.
//!
//! One thread with a runtime of its own: it lives in the operator's network namespace, where no other task may run.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::error::{Doing, LabError};
use crate::lab::in_netns;

/// Connections at once over all listeners: each takes two descriptors, and 1,024 descriptors is a common limit of a
/// process. More wait in the kernel's accept queue.
const CONNECTIONS_MAX: usize = 384;
/// Longest wait for the connection inside the lab: eight RTTs of the slowest preset, with a lost SYN or two.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failed accept (descriptors used up), so that the thread does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A running forwarder; it stops when it is dropped.
#[derive(Debug)]
pub struct Forwarder {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), LabError>>>,
}

impl Forwarder {
    /// Binds so many listeners on free ports of 127.0.0.1, in the network of the caller: call it before
    /// [`crate::lab::enter`].
    pub fn bind(count: usize) -> Result<Vec<std::net::TcpListener>, LabError> {
        let one = || std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        (0..count).map(|_| one().doing(|| "bind a free port of 127.0.0.1".to_string())).collect()
    }

    /// Forwards each listener to its target inside the lab; `netns` is the network namespace of the operator's host.
    pub fn run(
        listeners: Vec<(std::net::TcpListener, SocketAddr)>,
        netns: BorrowedFd<'_>,
    ) -> Result<Forwarder, LabError> {
        for (listener, target) in &listeners {
            listener
                .set_nonblocking(true)
                .doing(|| format!("make the listener for {target} non-blocking"))?;
        }
        let (stop, stopped) = oneshot::channel();
        let (tell, started) = std::sync::mpsc::channel();
        let thread = in_netns(netns, move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime.doing(|| "start the forwarder's runtime".to_string()) {
                Ok(runtime) => runtime.block_on(serve(listeners, tell, stopped)),
                // The starter is waiting for this message.
                Err(error) => drop(tell.send(Err(error))),
            }
        })?;
        let ended = |_| LabError::Child("the forwarder's thread ended before it had started".to_string());
        let forwarder = Forwarder { stop: Some(stop), thread: Some(thread) };
        started.recv().map_err(ended)??;
        Ok(forwarder)
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        // Dropping the sender is the signal.
        self.stop.take();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the forwarder's thread panicked");
        }
    }
}

async fn serve(
    listeners: Vec<(std::net::TcpListener, SocketAddr)>,
    tell: std::sync::mpsc::Sender<Result<(), LabError>>,
    stopped: oneshot::Receiver<()>,
) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut accepting = JoinSet::new();
    for (listener, target) in listeners {
        match TcpListener::from_std(listener).doing(|| format!("watch the listener for {target}")) {
            Ok(listener) => accepting.spawn(accept(listener, target, permits.clone())),
            Err(error) => return drop(tell.send(Err(error))),
        };
    }
    if tell.send(Ok(())).is_ok() {
        // An error means that the forwarder was dropped, which is the only way that it ends.
        let _ = stopped.await;
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, permits: Arc<Semaphore>) {
    let mut connections = JoinSet::new();
    // The semaphore is never closed.
    while let Ok(permit) = permits.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((outside, _)) => {
                connections.spawn(async move {
                    carry(outside, target).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%target, %error, "the forwarder cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// Copies one connection both ways until both sides have closed. A target that is down or cut is an everyday event
/// of the lab: the outside sees its connection closed.
async fn carry(mut outside: TcpStream, target: SocketAddr) {
    let connected = timeout(CONNECT_TIMEOUT, TcpStream::connect(target)).await;
    let mut inside = match connected {
        Ok(Ok(inside)) => inside,
        Ok(Err(error)) => return tracing::debug!(%target, %error, "nobody answers inside the lab"),
        Err(_) => return tracing::debug!(%target, "no answer inside the lab in time"),
    };
    for socket in [&outside, &inside] {
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%target, %error, "small packets may wait for larger ones");
        }
    }
    if let Err(error) = copy_bidirectional(&mut outside, &mut inside).await {
        tracing::debug!(%target, %error, "a forwarded connection broke");
    }
}
