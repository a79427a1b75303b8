//! The supervisor's side of the control socket: one thread per connection, one request after another.

use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::exec;
use super::protocol::{Request, Response};
use super::socket::Line;
use super::supervisor::Supervisor;

/// Connections at once: a person, some scripts, a few long `exec`s. Beyond it the caller is told.
const CONNECTIONS_MAX: usize = 64;

/// Serves until `Down`.
pub(crate) fn serve(supervisor: &Arc<Supervisor>, listener: &UnixListener) {
    let open = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        let (supervisor, open) = (Arc::clone(supervisor), Arc::clone(&open));
        let busy = open.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX;
        let work = move || {
            connection(&supervisor, stream, busy);
            open.fetch_sub(1, Ordering::Relaxed);
        };
        if let Err(error) = std::thread::Builder::new().name("control".into()).spawn(work) {
            tracing::warn!(%error, "no thread for a control connection");
        }
    }
}

fn connection(supervisor: &Arc<Supervisor>, stream: UnixStream, busy: bool) {
    let mut line = Line::new(stream);
    if busy {
        let message = format!("{CONNECTIONS_MAX} connections to the supervisor are open, no more are served");
        let _closed = line.send(&Response::Error { usage: false, message }, &[]);
        return;
    }
    loop {
        let response = match line.receive::<Request>() {
            Ok(None) => return,
            Ok(Some(Request::Exec(exec))) => match exec::serve(supervisor, &mut line, &exec) {
                Some(response) => response,
                None => return,
            },
            Ok(Some(Request::Down)) => supervisor.stop_and_exit(),
            Ok(Some(request)) => supervisor.handle(&request),
            Err(error) => Response::Error { usage: true, message: format!("not a request: {error}") },
        };
        if line.send(&response, &[]).is_err() {
            return;
        }
    }
}
