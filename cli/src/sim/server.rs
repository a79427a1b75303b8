//! The supervisor's side of the control socket: one thread per connection, one request after another.

use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::exec;
use super::protocol::{Request, Response};
use super::socket::Line;
use super::supervisor::Supervisor;

/// Connections at once: a person, some scripts, a few long `exec`s. Beyond it the caller is told.
const CONNECTIONS_MAX: usize = 64;

/// Pause after a connection that was not accepted: what is used up (descriptors, memory) is not back at once.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves until `Down`.
pub(crate) fn serve(supervisor: &Arc<Supervisor>, listener: &UnixListener) {
    let open = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a control connection cannot be accepted");
                std::thread::sleep(ACCEPT_AGAIN);
                continue;
            }
        };
        let supervisor = Arc::clone(supervisor);
        let place = Place::take(&open);
        // Without a thread `work` is dropped, and the connection and its place with it.
        let work = move || connection(&supervisor, stream, &place);
        if let Err(error) = std::thread::Builder::new().name("control".into()).spawn(work) {
            tracing::warn!(%error, "no thread for a control connection");
        }
    }
}

/// One of the connections, counted until it is dropped.
struct Place {
    open: Arc<AtomicUsize>,
    /// Whether as many as may be were open already.
    is_beyond: bool,
}

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Self {
        let is_beyond = open.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX;
        Self { open: Arc::clone(open), is_beyond }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn connection(supervisor: &Arc<Supervisor>, stream: UnixStream, place: &Place) {
    let mut line = Line::new(stream);
    if place.is_beyond {
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
            Err(error) => {
                // What follows has no beginning that could be found.
                let message = format!("not a request: {error}");
                let _closed = line.send(&Response::Error { usage: true, message }, &[]);
                return;
            }
        };
        if line.send(&response, &[]).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_also_when_no_thread_took_it() {
        let open = Arc::new(AtomicUsize::new(0));
        let places: Vec<Place> = (0..CONNECTIONS_MAX).map(|_| Place::take(&open)).collect();
        assert!(places.iter().all(|place| !place.is_beyond));
        assert!(Place::take(&open).is_beyond);
        drop(places);
        let place = Place::take(&open);
        let work = move || {
            let _taken = &place;
        };
        drop(work);
        assert!(!Place::take(&open).is_beyond);
        assert_eq!(open.load(Ordering::Relaxed), 0);
    }
}
