//! The loop of the WAN's thread: deliver what is due, sleep, take commands, read what has arrived.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, TryRecvError};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use super::control::Command;
use super::counters::LatenessLog;
use super::flight::Flight;
use super::links::Links;
use super::pace::{Pace, Wait};
use crate::clock;
use crate::error::LabError;
use crate::lab::Port;

/// Packets read from one host before packets that came due are delivered: at 10 us each, well below our tolerance.
const BATCH: usize = 16;

/// State of the WAN's thread.
pub(super) struct Engine {
    ports: Vec<Port>,
    state: State,
    commands: Receiver<Command>,
    ear: UnixStream,
}

/// Everything but descriptors that a poll borrows.
struct State {
    links: Links,
    flight: Flight,
    lateness: LatenessLog,
    unroutable: u64,
}

impl Engine {
    pub(super) fn new(
        links: Links,
        ports: Vec<Port>,
        commands: Receiver<Command>,
        ear: UnixStream,
        mtu: u16,
    ) -> Result<Engine, LabError> {
        let (flight, lateness) = (Flight::new(usize::from(mtu)), LatenessLog::new()?);
        Ok(Engine { ports, state: State { links, flight, lateness, unroutable: 0 }, commands, ear })
    }

    /// Runs until it is told to stop.
    pub(super) fn run(mut self) {
        let Engine { ports, state, commands, ear } = &mut self;
        let mut watched: Vec<PollFd<'_>> = Vec::with_capacity(ports.len() + 1);
        watched.push(PollFd::new(ear.as_fd(), PollFlags::POLLIN));
        watched.extend(ports.iter().map(|port| PollFd::new(port.as_fd(), PollFlags::POLLIN)));
        let mut pace = Pace::new(clock::now_ns());
        loop {
            state.deliver(ports);
            let wait = pace.wait(clock::now_ns(), state.flight.next_ns());
            match ppoll(&mut watched, timeout(wait), None) {
                Ok(0) | Err(Errno::EINTR) => continue,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "the WAN cannot wait for packets and stops");
                    return;
                }
            }
            let mut ready = watched.iter().map(|fd| fd.any().unwrap_or(false));
            if ready.next() == Some(true) && !state.obey(commands, ear) {
                return;
            }
            let mut gone = None;
            for (host, _) in ready.enumerate().filter(|(_, ready)| *ready) {
                if !state.read(ports, host) {
                    gone = Some(host);
                }
                state.deliver(ports);
            }
            // A device that is gone is ready for ever: the loop watches the bell in its place, for nothing.
            if let Some(place) = gone.and_then(|host| watched.get_mut(host + 1)) {
                tracing::warn!("a host has removed its network device and is cut off");
                *place = PollFd::new(ear.as_fd(), PollFlags::empty());
            }
        }
    }
}

impl State {
    /// Hands over everything that is due.
    fn deliver(&mut self, ports: &[Port]) {
        let mut now_ns = clock::now_ns();
        while let Some(due) = self.flight.pop_due(now_ns) {
            let (path, bytes) = (due.path, due.packet().len());
            let written = ports.get(path.to).map(|port| port.write(due.packet()));
            now_ns = clock::now_ns();
            self.lateness.record(now_ns.saturating_sub(due.at_ns));
            if let Some(link) = self.links.link_mut(path.link) {
                match written {
                    Some(Ok(())) => link.counters.deliver(u64::try_from(bytes).unwrap_or(u64::MAX)),
                    _ => link.counters.refused += 1,
                }
            }
            self.flight.land(due);
        }
    }

    /// Reads a batch of packets of one host and decides their fate; false: the device does not exist any more.
    fn read(&mut self, ports: &[Port], host: usize) -> bool {
        let Some(port) = ports.get(host) else { return false };
        for _ in 0..BATCH {
            let mut buffer = self.flight.buffer();
            match port.read(&mut buffer) {
                Ok(length) => self.accept(host, buffer, length),
                // Nothing more, or a device that is down for now: either way there is no packet.
                Err(error) => {
                    self.flight.recycle(buffer);
                    return error != Errno::EBADFD;
                }
            }
        }
        true
    }

    fn accept(&mut self, host: usize, buffer: Box<[u8]>, length: usize) {
        let now_ns = clock::now_ns();
        let Some(path) = buffer.get(..length).and_then(|packet| self.links.path(host, packet)) else {
            self.unroutable += 1;
            return self.flight.recycle(buffer);
        };
        let Some(at_ns) = self.links.offer(path, now_ns, length) else {
            return self.flight.recycle(buffer);
        };
        if !self.flight.launch(at_ns, path, buffer, length)
            && let Some(link) = self.links.link_mut(path.link)
        {
            link.counters.overload += 1;
        }
    }

    /// Does what was asked; false: stop, because somebody said so or nobody holds a handle any more. A caller that no
    /// longer waits for its answer is no error.
    fn obey(&mut self, commands: &Receiver<Command>, mut ear: &UnixStream) -> bool {
        let mut rings = [0; 64];
        while matches!(ear.read(&mut rings), Ok(1..)) {}
        loop {
            let command = match commands.try_recv() {
                Ok(command) => command,
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            };
            match command {
                Command::SetLink { from, to, shape, done } => {
                    self.links.set_shape(from, to, shape);
                    let _ = done.send(Ok(()));
                }
                Command::Cut { from, to, cut, done } => {
                    self.links.set_cut(from, to, cut);
                    let _ = done.send(Ok(()));
                }
                Command::Isolate { site, cut, done } => {
                    self.links.set_isolated(site, cut);
                    let _ = done.send(Ok(()));
                }
                Command::HealAll { done } => {
                    self.links.heal_all();
                    let _ = done.send(Ok(()));
                }
                Command::Links { done } => drop(done.send(self.links.report())),
                Command::Lateness { done } => drop(done.send(self.lateness.summary())),
                Command::Unroutable { done } => drop(done.send(self.unroutable)),
                Command::CpuTime { done } => drop(done.send(clock::thread_cpu())),
                Command::Stop => return false,
            }
        }
    }
}

/// The timeout of a poll; none waits for ever.
fn timeout(wait: Wait) -> Option<TimeSpec> {
    match wait {
        Wait::Idle => None,
        Wait::Sleep(ns) => Some(std::time::Duration::from_nanos(ns).into()),
        Wait::Poll => Some(std::time::Duration::ZERO.into()),
    }
}
