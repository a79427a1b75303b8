//! The relay backend: TCP relays on loopback, for places without network namespaces (a container's default seccomp
//! filter, some settings of Ubuntu).
//!
//! Whoever is to be reached from a host gets a relay of its own on 127.0.0.1 ([`Door`]); so the relay knows who sends,
//! and cuts hold between hosts as between clouds. A connection is two queues of bytes ([`pipe`]), one for each direction,
//! whose pieces are released when the link model says so. It obeys the same commands as the other backends
//! ([`crate::wan`]), on a thread of its own that owns all state.
//!
//! Limits, all since no packet is seen: no loss, reordering, duplicates or corruption (a shape that asks for them is
//! refused, [`shape`]). The kernel of this machine accepts a connection at once; the listener behind the relay learns
//! of it after the delay, and a refusal comes back as a reset after the round trip. A cut holds bytes back and loses
//! none; it does not hold back the other direction, as missing acknowledgements would on a real network. All hosts
//! share one loopback: the kernel keeps nobody from dialling a process beside its relay, but the self-test sees who
//! does ([`bypass`]).

mod bypass;
mod connection;
mod engine;
mod links;
mod pipe;
pub(crate) mod probe;
mod reserve;
mod shape;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::Builder;

use farquorum_config::known;

use crate::error::{Doing, LabError};
use crate::lab::LabSpec;
use crate::wan::{COMMANDS_MAX, Names, Wan, WanControl, raise_priority};
use connection::Way;
use engine::Engine;
use links::Links;
pub use reserve::Reserved;

/// A way from one host to a port of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Host that dials.
    pub from: String,
    /// Host that listens.
    pub to: String,
    /// The port of the service, as the configuration names it.
    pub port: u16,
    /// Where the service really listens on this machine.
    pub target: SocketAddr,
}

/// A relay that is bound and does not serve yet: its address can be told before the thread is there that serves it.
#[derive(Debug)]
pub struct Door {
    /// The way that it opens.
    pub route: Route,
    /// Where to dial.
    pub address: SocketAddr,
    listener: TcpListener,
}

impl Door {
    /// Binds a relay on a port of 127.0.0.1 that the kernel picks.
    ///
    /// # Errors
    /// No port is free.
    pub fn bind(route: Route) -> Result<Door, LabError> {
        let doing = || format!("bind the relay {} -> {}:{}", route.from, route.to, route.port);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing(doing)?;
        listener.set_nonblocking(true).doing(doing)?;
        let address = listener.local_addr().doing(doing)?;
        Ok(Door { route, address, listener })
    }
}

/// Running relays.
#[derive(Debug)]
pub struct Relays {
    spec: LabSpec,
    wan: Wan,
    /// From, to, port: where to dial.
    addresses: BTreeMap<(String, String, u16), SocketAddr>,
    /// Where services really listen, and what they are called.
    targets: BTreeMap<SocketAddr, String>,
    echo: Mutex<TcpListener>,
    backend: String,
}

impl Relays {
    /// Starts the thread that serves the doors, and further ones of its own for the self-test. Every link is shaped
    /// before the first connection. `why` goes into [`Relays::backend`].
    ///
    /// # Errors
    /// A spec that contradicts itself, a shape that a stream of bytes cannot have, a door of an unknown host or given
    /// twice, a port that cannot be bound.
    pub fn start(spec: LabSpec, doors: Vec<Door>, why: &str) -> Result<Relays, LabError> {
        spec.check()?;
        let links = Links::of(&spec)?;
        let (echo, probes) = probe::doors(&spec)?;
        let mut addresses = BTreeMap::new();
        let mut targets = BTreeMap::new();
        let mut served = Vec::with_capacity(doors.len() + probes.len());
        for Door { route, address, listener } in doors.into_iter().chain(probes) {
            let (from, to) = (host_of(&spec, &route.from)?, host_of(&spec, &route.to)?);
            targets.insert(route.target, format!("{}:{}", route.to, route.port));
            served.push((listener, Way { from, to, target: route.target }));
            let key = (route.from, route.to, route.port);
            if addresses.contains_key(&key) {
                let (from, to, port) = key;
                return Err(LabError::Spec(format!("the route {from} -> {to}:{port} is given twice")));
            }
            addresses.insert(key, address);
        }
        let wan = start_thread(&spec, links, served)?;
        let backend = format!(
            "WAN by relay, TCP on loopback: {why}; {}; lower fidelity: bytes, no packets, so no loss",
            wan.words()
        );
        Ok(Relays { spec, wan, addresses, targets, echo: Mutex::new(echo), backend })
    }

    /// Where a host dials to reach a port of another.
    pub fn address(&self, from: &str, to: &str, port: u16) -> Option<SocketAddr> {
        self.addresses.get(&(from.to_string(), to.to_string(), port)).copied()
    }

    /// What the relays were made from.
    pub fn spec(&self) -> &LabSpec {
        &self.spec
    }

    /// The handle that changes and reads links while the relays run.
    pub fn control(&self) -> WanControl {
        self.wan.control()
    }

    /// One line: which backend, why, and what it is not.
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// Stops the thread; every connection and every port closes.
    pub fn stop(self) {
        self.wan.stop();
    }

    /// The service of the self-test; whoever holds it is alone in testing.
    pub(crate) fn echo(&self) -> MutexGuard<'_, TcpListener> {
        self.echo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connections to a service that no relay made, each in words.
    pub(crate) fn bypasses(&self) -> Result<Vec<String>, LabError> {
        bypass::find(&self.targets)
    }

    /// Lets a host reach the self-test's service of another past the relay. For tests of the self-test only.
    #[doc(hidden)]
    pub fn breach(&mut self, from: &str, to: &str) {
        let target = self.echo().local_addr();
        if let (Ok(target), Some(address)) =
            (target, self.addresses.get_mut(&(from.to_string(), to.to_string(), probe::PORT)))
        {
            *address = target;
        }
    }
}

fn host_of(spec: &LabSpec, name: &str) -> Result<usize, LabError> {
    spec.hosts.iter().position(|host| host.name == name).ok_or_else(|| LabError::UnknownHost {
        name: name.to_string(),
        known: known(name, spec.hosts.iter().map(|host| &host.name)),
    })
}

fn start_thread(spec: &LabSpec, links: Links, doors: Vec<(TcpListener, Way)>) -> Result<Wan, LabError> {
    let (bell, ear) = UnixStream::pair().doing(|| "make a socket pair".to_string())?;
    for end in [&bell, &ear] {
        end.set_nonblocking(true).doing(|| "make a socket pair non-blocking".to_string())?;
    }
    let (sender, commands) = mpsc::sync_channel(COMMANDS_MAX);
    let (tell_priority, priority) = mpsc::channel();
    let engine = Engine::new(links, doors, commands, ear)?;
    let body = move || {
        // Nobody listens any more only when the start has failed.
        let _ = tell_priority.send(raise_priority());
        engine.run();
    };
    let thread =
        Builder::new().name("wan".to_string()).spawn(body).doing(|| "start the WAN's thread".to_string())?;
    let words = priority.recv().unwrap_or_default();
    Ok(Wan { control: WanControl::new(sender, Some(bell), Names::of(spec), Vec::new()), thread, words })
}
