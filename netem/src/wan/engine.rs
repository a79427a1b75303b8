//! The loop of the WAN's thread: deliver what is due, sleep, take commands, read what has arrived.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, TryRecvError};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use super::control::Command;
use super::pace::{Pace, Wait};
use super::ports::Ports;
use super::traffic::Traffic;
use crate::clock;
use crate::error::LabError;
use crate::lab::LabSpec;

/// State of the WAN's thread.
pub(super) struct Engine {
    ports: Ports,
    traffic: Traffic,
    commands: Receiver<Command>,
    ear: UnixStream,
}

impl Engine {
    /// An engine for a checked spec.
    pub(super) fn new(
        spec: &LabSpec,
        ports: Ports,
        commands: Receiver<Command>,
        ear: UnixStream,
    ) -> Result<Engine, LabError> {
        Ok(Engine { ports, traffic: Traffic::of(spec)?, commands, ear })
    }

    /// Runs until it is told to stop.
    pub(super) fn run(mut self) {
        let Engine { ports, traffic, commands, ear } = &mut self;
        let mut watched: Vec<PollFd<'_>> = Vec::with_capacity(ports.all().len() + 1);
        watched.push(PollFd::new(ear.as_fd(), PollFlags::POLLIN));
        watched.extend(ports.all().iter().map(|port| PollFd::new(port.as_fd(), PollFlags::POLLIN)));
        let mut pace = Pace::new(clock::now_ns());
        loop {
            traffic.deliver(ports);
            let wait = pace.wait(clock::now_ns(), traffic.next_ns());
            match wait_for(&mut watched, wait) {
                Ok(0) | Err(Errno::EINTR) => continue,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "the WAN cannot wait for packets and stops");
                    return;
                }
            }
            let mut ready = watched.iter().map(|fd| fd.any().unwrap_or(false));
            if ready.next() == Some(true) && !obey(traffic, commands, ear) {
                return;
            }
            let mut gone = None;
            for (device, _) in ready.enumerate().filter(|(_, ready)| *ready) {
                if !traffic.read(ports, device) {
                    gone = Some(device);
                }
                traffic.deliver(ports);
            }
            // A device that is gone is ready for ever: the loop watches the bell in its place, for nothing.
            if let Some(place) = gone.and_then(|device| watched.get_mut(device + 1)) {
                if matches!(ports, Ports::Shared(_)) {
                    tracing::error!("the device of the gateway is gone; nothing can pass any more");
                    return;
                }
                tracing::warn!("a host has removed its network device and is cut off");
                *place = PollFd::new(ear.as_fd(), PollFlags::empty());
            }
        }
    }
}

/// Does what was asked; false: stop, because somebody said so or nobody holds a handle any more. A caller that no
/// longer waits for its answer is no error.
fn obey(traffic: &mut Traffic, commands: &Receiver<Command>, mut ear: &UnixStream) -> bool {
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
                traffic.links.set_shape(from, to, shape);
                let _ = done.send(Ok(()));
            }
            Command::Cut { from, to, cut, done } => {
                traffic.links.set_cut(from, to, cut);
                let _ = done.send(Ok(()));
            }
            Command::Isolate { site, cut, done } => {
                traffic.links.set_isolated(site, cut);
                let _ = done.send(Ok(()));
            }
            Command::HealAll { done } => {
                traffic.links.heal_all();
                let _ = done.send(Ok(()));
            }
            Command::Links { done } => drop(done.send(Ok(traffic.links.report()))),
            Command::LatenessMark { done } => {
                drop(done.send(traffic.lateness.mark(traffic.links.overload())))
            }
            Command::Strays { done } => drop(done.send(traffic.strays)),
            Command::CpuTime { done } => drop(done.send(clock::thread_cpu())),
            Command::Stop => return false,
        }
    }
}

/// Waits for descriptors; gives how many are ready.
pub(crate) fn wait_for(watched: &mut [PollFd<'_>], wait: Wait) -> Result<i32, Errno> {
    let timeout: Option<TimeSpec> = match wait {
        Wait::Idle => None,
        Wait::Sleep(ns) => Some(std::time::Duration::from_nanos(ns).into()),
        Wait::Poll => Some(std::time::Duration::ZERO.into()),
    };
    ppoll(watched, timeout, None)
}
