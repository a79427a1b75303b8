//! One relayed connection: the dialler's socket (near), the listener's (far), and a flow of bytes each way.
//!
//! It opens as a connection does on a line: the far socket is dialled when an empty piece has crossed the link. While a
//! direction is cut its source is not read, so that what is sent waits in the sender's socket, as it would wait there
//! for an acknowledgement; what was read before keeps its time.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use super::links::Links;
use super::pipe::{End, Pipe};
use crate::wan::LatenessLog;

/// Between which hosts a relay stands, and what is behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) target: SocketAddr,
}

/// One of the two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Near,
    Far,
}

/// What a socket waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wants {
    pub(super) read: bool,
    pub(super) write: bool,
}

/// Bytes from one socket to the other.
#[derive(Debug)]
struct Flow {
    link: usize,
    from: usize,
    to: usize,
    pipe: Pipe,
    /// The source has ended: nothing more is read.
    ended: bool,
    /// The end was handed on, or nobody takes the bytes any more.
    done: bool,
    /// The destination takes no more at the moment.
    blocked: bool,
}

impl Flow {
    fn new(link: usize, from: usize, to: usize) -> Flow {
        Flow { link, from, to, pipe: Pipe::default(), ended: false, done: false, blocked: false }
    }

    fn reads(&self, links: &Links) -> bool {
        let open = !self.ended && !self.done && !links.is_cut(self.from, self.to);
        open && links.room(self.link, self.pipe.held()) > 0
    }

    /// Takes what the source has, at most one buffer.
    fn read(&mut self, source: &mut TcpStream, buffer: &mut [u8], now_ns: u64, links: &mut Links) {
        let before = self.pipe.held();
        let room = links.room(self.link, before).min(buffer.len());
        let end = match source.read(buffer.get_mut(..room).unwrap_or_default()) {
            Ok(0) => End::Finished,
            Ok(length) => {
                let bytes = buffer.get(..length).unwrap_or_default();
                for piece in bytes.chunks(links.piece_bytes) {
                    match links.offer(self.link, now_ns, piece.len()) {
                        Some(at_ns) => self.pipe.push(piece, at_ns),
                        // A gap in a stream would be worse than its end.
                        None => return self.finish(End::Reset, now_ns, links),
                    }
                }
                links.held = links.held.saturating_add(self.pipe.held().saturating_sub(before));
                return;
            }
            Err(error) if passes(&error) => return,
            Err(_) => End::Reset,
        };
        self.finish(end, now_ns, links);
    }

    fn finish(&mut self, end: End, now_ns: u64, links: &mut Links) {
        self.ended = true;
        self.pipe.finish(end, links.offer(self.link, now_ns, 0).unwrap_or(now_ns));
    }

    /// Hands over what is due. True: a reset has arrived, the connection is no more.
    fn deliver(
        &mut self,
        to: &mut TcpStream,
        now_ns: u64,
        links: &mut Links,
        lateness: &mut LatenessLog,
    ) -> bool {
        self.pipe.ripen(now_ns, |late_ns, bytes| {
            lateness.record(late_ns);
            links.delivered(self.link, bytes);
        });
        while !self.done && !self.blocked && !self.pipe.ready().is_empty() {
            match to.write(self.pipe.ready()) {
                Ok(length @ 1..) => self.pipe.consume(length),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if passes(&error) => self.blocked = true,
                // The destination is gone; the other flow brings the news to the source, after its own delay.
                Ok(0) | Err(_) => self.abandon(),
            }
        }
        match self.pipe.ended(now_ns) {
            Some(End::Reset) => return true,
            Some(End::Finished) if !self.done => {
                // A socket that is gone already has nothing left to be told.
                let _ = to.shutdown(Shutdown::Write);
                self.done = true;
            }
            _ => {}
        }
        false
    }

    /// When something is due next.
    fn next_ns(&self) -> Option<u64> {
        self.pipe.next_ns().filter(|_| !self.done)
    }

    fn abandon(&mut self) {
        self.done = true;
        self.pipe = Pipe::default();
    }
}

/// The listener's side.
#[derive(Debug)]
enum Far {
    /// Not dialled yet: when the opening has crossed the link; none: it has not set out.
    Opening(Option<u64>),
    /// Nobody listens; the dialler does not know yet.
    Refused,
    Here(TcpStream),
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    near: TcpStream,
    far: Far,
    target: SocketAddr,
    forward: Flow,
    back: Flow,
}

impl Connection {
    /// Over a socket that was just accepted.
    pub(super) fn new(near: TcpStream, way: &Way, links: &Links) -> io::Result<Connection> {
        near.set_nonblocking(true)?;
        near.set_nodelay(true)?;
        let unknown = || io::Error::other("a relay between unknown hosts");
        let forward = Flow::new(links.between(way.from, way.to).ok_or_else(unknown)?, way.from, way.to);
        let back = Flow::new(links.between(way.to, way.from).ok_or_else(unknown)?, way.to, way.from);
        Ok(Connection { near, far: Far::Opening(None), target: way.target, forward, back })
    }

    /// Does everything that is due. False: the connection is over.
    pub(super) fn advance(&mut self, now_ns: u64, links: &mut Links, lateness: &mut LatenessLog) -> bool {
        self.open(now_ns, links);
        if let Far::Here(far) = &mut self.far
            && self.forward.deliver(far, now_ns, links, lateness)
        {
            reset(far);
            return false;
        }
        if self.back.deliver(&mut self.near, now_ns, links, lateness) {
            reset(&self.near);
            return false;
        }
        !(self.forward.done && self.back.done)
    }

    fn open(&mut self, now_ns: u64, links: &mut Links) {
        if matches!(self.far, Far::Opening(None)) && !links.is_cut(self.forward.from, self.forward.to) {
            self.far = Far::Opening(links.offer(self.forward.link, now_ns, 0));
        }
        if matches!(self.far, Far::Opening(Some(at_ns)) if at_ns <= now_ns) {
            self.far = dial(self.target).map_or(Far::Refused, Far::Here);
            if matches!(self.far, Far::Refused) {
                self.forward.abandon();
            }
        }
        let tells = matches!(self.far, Far::Refused) && !self.back.ended;
        if tells && !links.is_cut(self.back.from, self.back.to) {
            self.back.finish(End::Reset, now_ns, links);
        }
    }

    /// Bytes inside, both ways.
    pub(super) fn held(&self) -> usize {
        self.forward.pipe.held() + self.back.pipe.held()
    }

    /// When something is due next.
    pub(super) fn next_ns(&self) -> Option<u64> {
        let open_ns = if let Far::Opening(at_ns) = self.far { at_ns } else { None };
        let forward_ns = self.forward.next_ns().filter(|_| matches!(self.far, Far::Here(_)));
        open_ns.into_iter().chain(forward_ns).chain(self.back.next_ns()).min()
    }

    /// A socket, if it is there, and what it waits for.
    pub(super) fn socket(&self, side: Side, links: &Links) -> Option<(&TcpStream, Wants)> {
        match (side, &self.far) {
            (Side::Near, far) => {
                let set_out = !matches!(far, Far::Opening(None));
                let read = set_out && self.forward.reads(links);
                Some((&self.near, Wants { read, write: self.back.blocked && !self.back.done }))
            }
            (Side::Far, Far::Here(far)) => {
                let write = self.forward.blocked && !self.forward.done;
                Some((far, Wants { read: self.back.reads(links), write }))
            }
            (Side::Far, _) => None,
        }
    }

    /// A socket has something for whom waits for it.
    pub(super) fn ready(
        &mut self,
        side: Side,
        wanted: Wants,
        buffer: &mut [u8],
        now_ns: u64,
        links: &mut Links,
    ) {
        let (source, reads, writes) = match (side, &mut self.far) {
            (Side::Near, _) => (&mut self.near, &mut self.forward, &mut self.back),
            (Side::Far, Far::Here(far)) => (far, &mut self.back, &mut self.forward),
            (Side::Far, _) => return,
        };
        if wanted.write {
            writes.blocked = false;
        }
        // A cut that came meanwhile holds.
        if wanted.read && reads.reads(links) {
            reads.read(source, buffer, now_ns, links);
        }
    }
}

/// Begins to connect; whether it works out shows at the first read.
fn dial(target: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&target.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(socket.into()),
    }
}

/// Makes the coming close a reset. One that cannot be made so ends as an ordinary close.
fn reset(socket: &TcpStream) {
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}

/// Not now; a socket that still connects is not connected on some systems.
fn passes(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::NotConnected)
}
