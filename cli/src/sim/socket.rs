//! Lines and file descriptors over a Unix socket, both ends.

use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, getsockopt, recvmsg, sendmsg};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::protocol::{LINE_MAX, Request, Response};
use crate::failure::{Failure, Kind};

/// One end of the conversation.
pub(crate) struct Line {
    stream: UnixStream,
    buffer: Vec<u8>,
    fds: Vec<OwnedFd>,
}

impl Line {
    /// Over a connected socket.
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self { stream, buffer: Vec::new(), fds: Vec::new() }
    }

    /// A second handle to the same socket, for a thread that only writes.
    pub(crate) fn stream(&self) -> io::Result<UnixStream> {
        self.stream.try_clone()
    }

    /// Sends one value as a line, with file descriptors beside its first byte.
    pub(crate) fn send<T: Serialize>(&mut self, value: &T, fds: &[RawFd]) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        if fds.is_empty() {
            return self.stream.write_all(&line);
        }
        let rights = [ControlMessage::ScmRights(fds)];
        let sent = sendmsg::<()>(
            self.stream.as_raw_fd(),
            &[IoSlice::new(&line)],
            &rights,
            MsgFlags::MSG_NOSIGNAL,
            None,
        )?;
        self.stream.write_all(line.get(sent..).unwrap_or_default())
    }

    /// The next value; `None` when the other end closed.
    pub(crate) fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            if self.buffer.len() > LINE_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line longer than 1 MiB"));
            }
            if self.fill()? == 0 {
                return Ok(None);
            }
        }
    }

    /// File descriptors that came with the lines so far.
    pub(crate) fn take_fds(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.fds)
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut bytes = [0_u8; 16 * 1024];
        let mut space = nix::cmsg_space!([RawFd; 3]);
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let message = match recvmsg::<()>(
            self.stream.as_fd().as_raw_fd(),
            &mut slices,
            Some(&mut space),
            MsgFlags::MSG_CMSG_CLOEXEC,
        ) {
            Err(nix::errno::Errno::EINTR) => return self.fill(),
            other => other?,
        };
        let count = message.bytes;
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(received) = control {
                for fd in received {
                    // SAFETY: the kernel has just made this descriptor for us; nothing else owns it.
                    self.fds.push(unsafe { OwnedFd::from_raw_fd(fd) });
                }
            }
        }
        self.buffer.extend_from_slice(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }
}

/// Connects to the supervisor of a simulation.
pub(crate) fn connect(socket: &Path) -> Result<Line, Failure> {
    UnixStream::connect(socket).map(Line::new).map_err(|error| {
        let what = format!("no simulation answers at {}: {error}", socket.display());
        if error.kind() == io::ErrorKind::PermissionDenied {
            return Failure::new(Kind::Refused, what).hint("the same with sudo, as it was started");
        }
        Failure::new(Kind::NotAvailable, what).hint("make sim-up")
    })
}

/// Asks one thing.
pub(crate) fn ask(socket: &Path, request: &Request) -> Result<Response, Failure> {
    let mut line = connect(socket)?;
    line.send(request, &[])?;
    answer(&mut line)
}

/// Waits for an answer; an error becomes a failure.
pub(crate) fn answer(line: &mut Line) -> Result<Response, Failure> {
    match line.receive()? {
        Some(Response::Error { usage, message }) => {
            Err(Failure::new(if usage { Kind::Usage } else { Kind::Failed }, message))
        }
        Some(response) => Ok(response),
        None => Err(Failure::new(Kind::NotAvailable, "the simulation's supervisor ended without an answer")),
    }
}

/// How long the supervisor may take to end. By itself it needs two seconds for each of workers, nodes and object store at
/// the most, and then the kernel ends what is left; the rest is for a machine that swaps.
const STOP_MAX: Duration = Duration::from_secs(30);

/// Asks the supervisor to stop everything, and waits for its end, at most [`STOP_MAX`].
///
/// The kernel closes a process's files in no certain order: the end of this stream does not mean that the ports are
/// closed. A process that is over, as its pidfd tells (Linux 5.3), has none left.
pub(crate) fn stop(line: &mut Line) -> Result<(), Failure> {
    stop_within(line, STOP_MAX)
}

fn stop_within(line: &mut Line, limit: Duration) -> Result<(), Failure> {
    let until = Instant::now() + limit;
    let pid = getsockopt(&line.stream, PeerCredentials).map(|peer| peer.pid()).map_err(Failure::failed)?;
    let supervisor = pidfd(pid);
    // One that ends by itself meanwhile closes the stream.
    let _gone = line.send(&Request::Down, &[]);
    let mut rest = [0_u8; 1024];
    while await_readable(&line.stream, until) {
        if !matches!(line.stream.read(&mut rest), Ok(count) if count > 0) {
            match supervisor {
                Some(supervisor) if !await_readable(&supervisor, until) => break,
                _ => return Ok(()),
            }
        }
    }
    let message =
        format!("the simulation's supervisor, process {pid}, has not ended within {} s", limit.as_secs());
    Err(Failure::failed(message)
        .hint(format!("kill -9 {pid} ends it, and with it everything that it started")))
}

/// Waits until there is something to read, or its end; false when the time has come.
fn await_readable(file: &impl AsFd, until: Instant) -> bool {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLIN)], timeout) {
            Err(nix::errno::Errno::EINTR) => {}
            ready => return ready != Ok(0),
        }
    }
}

/// A process as a pidfd; `None` where the kernel has none, or it is over already.
fn pidfd(pid: i32) -> Option<OwnedFd> {
    // SAFETY: the call takes two numbers and gives a new descriptor or -1.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = RawFd::try_from(fd).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: the kernel has just made this descriptor for us; nothing else owns it.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, SeekFrom};

    use super::*;

    #[test]
    fn lines_and_descriptors_arrive() {
        let (left, right) = UnixStream::pair().unwrap();
        let (mut left, mut right) = (Line::new(left), Line::new(right));
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"through the socket").unwrap();
        left.send(&Request::Signal(2), &[file.as_raw_fd()]).unwrap();
        left.send(&Request::Status, &[]).unwrap();
        assert_eq!(right.receive::<Request>().unwrap(), Some(Request::Signal(2)));
        assert_eq!(right.receive::<Request>().unwrap(), Some(Request::Status));
        let mut received = std::fs::File::from(right.take_fds().pop().unwrap());
        let mut text = String::new();
        received.seek(SeekFrom::Start(0)).unwrap();
        received.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through the socket");
        drop(left);
        assert_eq!(right.receive::<Request>().unwrap(), None);
    }

    /// The other end is this process, which goes on.
    #[test]
    fn a_supervisor_that_does_not_stop_is_named() {
        let (left, right) = UnixStream::pair().unwrap();
        let mut line = Line::new(left);
        let said = format!("{:?}", stop_within(&mut line, Duration::from_millis(20)).unwrap_err());
        let pid = std::process::id();
        assert!(said.contains(&format!("process {pid}, has not ended")), "{said}");
        assert!(said.contains(&format!("kill -9 {pid}")), "{said}");
        drop(right);
        assert!(stop_within(&mut line, Duration::from_millis(20)).is_err());
    }

    #[test]
    fn garbage_is_an_error_and_not_a_panic() {
        let (mut left, right) = UnixStream::pair().unwrap();
        left.write_all(b"not json\n").unwrap();
        assert!(Line::new(right).receive::<Request>().is_err());
    }

    #[test]
    fn an_endless_line_is_an_error() {
        let (mut left, right) = UnixStream::pair().unwrap();
        let write = std::thread::spawn(move || left.write_all(&vec![b'x'; LINE_MAX + (4 << 20)]));
        let mut line = Line::new(right);
        assert!(line.receive::<Request>().unwrap_err().to_string().contains("longer than 1 MiB"));
        drop(line);
        assert!(write.join().unwrap().is_err(), "the rest is not read");
    }
}
