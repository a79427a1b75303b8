//! The loop of the relays' thread: hand over what is due, sleep, take commands, accept, read.

use std::io::{ErrorKind, Read};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, TryRecvError};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};

use super::connection::{Connection, Side, Wants, Way};
use super::links::Links;
use crate::clock;
use crate::error::LabError;
use crate::wan::{Command, Cuts, LatenessLog, Pace, Strays, wait_for};

/// Connections at once: some ten processes hold a few to each other. Beyond it new ones wait in their listener's queue.
pub(super) const CONNECTIONS_MAX: usize = 512;
/// Bytes read at once: a socket with more is read again after the others have had their turn.
const READ_BYTES: usize = 64 << 10;
/// How long nothing is accepted after the kernel refused to (no descriptor left): it would refuse at once again.
const ACCEPT_PAUSE_NS: u64 = 100_000_000;

/// State of the relays' thread.
pub(super) struct Engine {
    doors: Vec<(TcpListener, Way)>,
    connections: Vec<Connection>,
    commands: Receiver<Command>,
    ear: UnixStream,
    state: State,
}

/// All of it but the sockets.
struct State {
    links: Links,
    lateness: LatenessLog,
    accept_from_ns: u64,
}

/// What a place of the poll stands for.
#[derive(Clone, Copy, Debug)]
enum Watched {
    Ear,
    Door(usize),
    Socket(usize, Side, Wants),
}

impl Engine {
    pub(super) fn new(
        links: Links,
        doors: Vec<(TcpListener, Way)>,
        commands: Receiver<Command>,
        ear: UnixStream,
    ) -> Result<Engine, LabError> {
        let state = State { links, lateness: LatenessLog::new()?, accept_from_ns: 0 };
        Ok(Engine { doors, connections: Vec::new(), commands, ear, state })
    }

    /// Runs until it is told to stop.
    pub(super) fn run(mut self) {
        let mut pace = Pace::new(clock::now_ns());
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let now_ns = clock::now_ns();
            let State { links, lateness, .. } = &mut self.state;
            self.connections.retain_mut(|connection| connection.advance(now_ns, links, lateness));
            links.held = self.connections.iter().map(Connection::held).sum();
            let ready = match self.wait(&mut pace) {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(error) => {
                    tracing::error!(%error, "the relays cannot wait for bytes and stop");
                    return;
                }
            };
            for watched in ready {
                match watched {
                    Watched::Ear if !self.obey() => return,
                    Watched::Ear => {}
                    Watched::Door(door) => self.accept(door),
                    Watched::Socket(number, side, wants) => {
                        if let Some(connection) = self.connections.get_mut(number) {
                            connection.ready(
                                side,
                                wants,
                                &mut buffer,
                                clock::now_ns(),
                                &mut self.state.links,
                            );
                        }
                    }
                }
            }
        }
    }

    /// Sleeps until something is due or ready; gives what is ready, commands first.
    fn wait(&self, pace: &mut Pace) -> Result<Vec<Watched>, Errno> {
        let now_ns = clock::now_ns();
        let links = &self.state.links;
        let mut fds = vec![PollFd::new(self.ear.as_fd(), PollFlags::POLLIN)];
        let mut watched = vec![Watched::Ear];
        let mut next_ns = self.connections.iter().filter_map(Connection::next_ns).min();
        if now_ns < self.state.accept_from_ns {
            next_ns =
                Some(next_ns.map_or(self.state.accept_from_ns, |next| next.min(self.state.accept_from_ns)));
        } else if self.connections.len() < CONNECTIONS_MAX {
            fds.extend(self.doors.iter().map(|(door, _)| PollFd::new(door.as_fd(), PollFlags::POLLIN)));
            watched.extend((0..self.doors.len()).map(Watched::Door));
        }
        for (number, connection) in self.connections.iter().enumerate() {
            for side in [Side::Near, Side::Far] {
                let Some((socket, wants)) = connection.socket(side, links) else { continue };
                // A socket that waits for nothing is left out: its end would wake the loop without pause.
                if wants != Wants::default() {
                    fds.push(PollFd::new(socket.as_fd(), flags(wants)));
                    watched.push(Watched::Socket(number, side, wants));
                }
            }
        }
        wait_for(&mut fds, pace.wait(now_ns, next_ns))?;
        let ready = fds.iter().map(|fd| fd.any().unwrap_or(false));
        Ok(watched.into_iter().zip(ready).filter_map(|(watched, ready)| ready.then_some(watched)).collect())
    }

    fn accept(&mut self, door: usize) {
        let Some((listener, way)) = self.doors.get(door) else { return };
        if self.connections.len() >= CONNECTIONS_MAX {
            return;
        }
        let made = listener.accept().and_then(|(near, _)| Connection::new(near, way, &self.state.links));
        match made {
            Ok(connection) => self.connections.push(connection),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted) => {}
            Err(error) => {
                tracing::warn!(%error, "a relay cannot accept a connection");
                self.state.accept_from_ns = clock::now_ns() + ACCEPT_PAUSE_NS;
            }
        }
    }

    /// Does what was asked; false: stop, because somebody said so or nobody holds a handle any more. A caller that no
    /// longer waits for its answer is no error.
    fn obey(&mut self) -> bool {
        let mut rings = [0; 64];
        while matches!(self.ear.read(&mut rings), Ok(1..)) {}
        let State { links, lateness, .. } = &mut self.state;
        loop {
            let command = match self.commands.try_recv() {
                Ok(command) => command,
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            };
            let cut = |links: &mut Links, change: &dyn Fn(&mut Cuts)| {
                change(&mut links.cuts);
                Ok(())
            };
            match command {
                Command::SetLink { from, to, shape, done } => {
                    drop(done.send(links.set_shape(from, to, shape)))
                }
                Command::Cut { from, to, cut: set, done } => {
                    drop(done.send(cut(links, &|cuts| cuts.set(from, to, set))));
                }
                Command::Isolate { site, cut: set, done } => {
                    drop(done.send(cut(links, &|cuts| cuts.set_isolated(site, set))));
                }
                Command::HealAll { done } => drop(done.send(cut(links, &Cuts::heal_all))),
                Command::Links { done } => drop(done.send(Ok(links.report()))),
                Command::LatenessMark { done } => drop(done.send(lateness.mark(0))),
                // Every relay knows its hosts.
                Command::Strays { done } => drop(done.send(Strays::default())),
                Command::CpuTime { done } => drop(done.send(clock::thread_cpu())),
                Command::Stop => return false,
            }
        }
    }
}

fn flags(wants: Wants) -> PollFlags {
    let read = if wants.read { PollFlags::POLLIN } else { PollFlags::empty() };
    let write = if wants.write { PollFlags::POLLOUT } else { PollFlags::empty() };
    read | write
}
