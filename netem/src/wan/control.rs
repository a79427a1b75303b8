//! The handle to the running WAN: changes and reports. Every call is answered by the backend's own thread (in
//! user space between two packets), so that a change is in force, for the next packet on, when the call returns.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Sender, SyncSender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use farquorum_config::{LinkShape, ShapeError, known};

use super::counters::LinkReport;
use super::lateness::{Lateness, LatenessMark};
use super::strays::Strays;
use crate::clock;
use crate::lab::{Inlet, LabSpec};

/// A request to the WAN was refused.
#[derive(Debug, thiserror::Error)]
pub enum WanError {
    /// No cloud of that name.
    #[error("no cloud `{name}` in the lab; {known}")]
    UnknownCloud {
        /// What was asked for.
        name: String,
        /// The nearest name and all clouds.
        known: String,
    },
    /// No cloud or host of that name.
    #[error("no cloud or host `{name}` in the lab; {known}")]
    UnknownSite {
        /// What was asked for.
        name: String,
        /// The nearest name and all clouds and hosts.
        known: String,
    },
    /// A value of the new shape is out of range.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The backend cannot do this, or the kernel refused it: what, and why.
    #[error("{0}")]
    Backend(String),
    /// The WAN's thread has ended.
    #[error("the emulated WAN has stopped")]
    Stopped,
}

/// A cloud or a host, by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Site {
    Cloud(usize),
    Host(usize),
}

/// Whether a change is in force, or why not.
pub(crate) type Changed = Result<(), WanError>;

/// What the WAN's thread is asked; each is answered once it is done. This is all that a backend is to the rest: a
/// thread that obeys these.
#[derive(Debug)]
pub(crate) enum Command {
    SetLink { from: usize, to: usize, shape: LinkShape, done: Sender<Changed> },
    Cut { from: Site, to: Site, cut: bool, done: Sender<Changed> },
    Isolate { site: Site, cut: bool, done: Sender<Changed> },
    HealAll { done: Sender<Changed> },
    Links { done: Sender<Result<Vec<LinkReport>, WanError>> },
    LatenessMark { done: Sender<LatenessMark> },
    Strays { done: Sender<Strays> },
    CpuTime { done: Sender<Duration> },
    Stop,
}

/// Names of clouds and hosts; a position is an index of the WAN's tables.
#[derive(Debug)]
pub(crate) struct Names {
    clouds: Vec<String>,
    hosts: Vec<String>,
}

impl Names {
    pub(crate) fn of(spec: &LabSpec) -> Names {
        let hosts = spec.hosts.iter().map(|host| host.name.clone()).collect();
        Names { clouds: spec.clouds.keys().cloned().collect(), hosts }
    }

    fn cloud(&self, name: &str) -> Result<usize, WanError> {
        let found = self.clouds.iter().position(|cloud| cloud == name);
        found.ok_or_else(|| WanError::UnknownCloud {
            name: name.to_string(),
            known: known(name, &self.clouds),
        })
    }

    fn site(&self, name: &str) -> Result<Site, WanError> {
        let host = || self.hosts.iter().position(|host| host == name).map(Site::Host);
        let found = self.clouds.iter().position(|cloud| cloud == name).map(Site::Cloud).or_else(host);
        let all = || known(name, self.clouds.iter().chain(&self.hosts));
        found.ok_or_else(|| WanError::UnknownSite { name: name.to_string(), known: all() })
    }
}

/// Changes and reads the links of a running lab. Each change returns the time that it took to be in force. Packets
/// that are in flight keep their delivery time.
#[derive(Clone, Debug)]
pub struct WanControl {
    commands: SyncSender<Command>,
    /// Wakes a thread that waits for packets too; none when it waits for commands only.
    bell: Option<Arc<UnixStream>>,
    names: Arc<Names>,
    /// What the kernel drops before the WAN's thread sees it; none where it is not counted.
    inlets: Arc<Mutex<Vec<Inlet>>>,
}

impl WanControl {
    pub(crate) fn new(
        commands: SyncSender<Command>,
        bell: Option<UnixStream>,
        names: Names,
        inlets: Vec<Inlet>,
    ) -> WanControl {
        let inlets = Arc::new(Mutex::new(inlets));
        WanControl { commands, bell: bell.map(Arc::new), names: Arc::new(names), inlets }
    }

    /// Replaces the shape of a directed link between two clouds (or inside one, when both are the same).
    pub fn set_link(&self, from: &str, to: &str, shape: LinkShape) -> Result<Duration, WanError> {
        shape.check()?;
        let (from, to) = (self.names.cloud(from)?, self.names.cloud(to)?);
        self.timed(|done| Command::SetLink { from, to, shape, done })
    }

    /// Cuts one direction between two clouds, two hosts, or one of each.
    pub fn cut(&self, from: &str, to: &str) -> Result<Duration, WanError> {
        let (from, to) = (self.names.site(from)?, self.names.site(to)?);
        self.timed(|done| Command::Cut { from, to, cut: true, done })
    }

    /// Undoes [`WanControl::cut`]. Healing two clouds heals their hosts too; healing two hosts leaves a cut between
    /// their clouds in place.
    pub fn heal(&self, from: &str, to: &str) -> Result<Duration, WanError> {
        let (from, to) = (self.names.site(from)?, self.names.site(to)?);
        self.timed(|done| Command::Cut { from, to, cut: false, done })
    }

    /// Cuts a cloud from every other cloud, or a host from every other host, both ways.
    pub fn isolate(&self, site: &str) -> Result<Duration, WanError> {
        let site = self.names.site(site)?;
        self.timed(|done| Command::Isolate { site, cut: true, done })
    }

    /// Undoes [`WanControl::isolate`], and every other cut from or to this cloud or host.
    pub fn rejoin(&self, site: &str) -> Result<Duration, WanError> {
        let site = self.names.site(site)?;
        self.timed(|done| Command::Isolate { site, cut: false, done })
    }

    /// Undoes every cut.
    pub fn heal_all(&self) -> Result<Duration, WanError> {
        self.timed(|done| Command::HealAll { done })
    }

    /// All directed links between clouds, and inside each, with what passed.
    pub fn links(&self) -> Result<Vec<LinkReport>, WanError> {
        self.ask(|done| Command::Links { done })?
    }

    /// How late packets were handed over, against the time that the model gave; none are counted where the kernel does it.
    pub fn lateness(&self) -> Result<Lateness, WanError> {
        Ok(self.lateness_mark()?.until())
    }

    /// Marks the start of a period, for [`WanControl::lateness_since`].
    pub fn lateness_mark(&self) -> Result<LatenessMark, WanError> {
        let mark = self.ask(|done| Command::LatenessMark { done })?;
        Ok(mark.with_lost(self.before_wan()?))
    }

    /// [`WanControl::lateness`] of the packets since a mark: whoever measures in this lab asks, and marks the result
    /// invalid when [`Lateness::valid`] says so.
    pub fn lateness_since(&self, start: &LatenessMark) -> Result<Lateness, WanError> {
        Ok(self.lateness_mark()?.since(start))
    }

    /// Packets that reached no link, by reason; none are counted where the kernel does it.
    pub fn strays(&self) -> Result<Strays, WanError> {
        let strays = self.ask(|done| Command::Strays { done })?;
        Ok(Strays { before_wan: self.before_wan()?, ..strays })
    }

    /// CPU time that the WAN's thread has used.
    pub fn cpu_time(&self) -> Result<Duration, WanError> {
        self.ask(|done| Command::CpuTime { done })
    }

    pub(super) fn stop(&self) -> Result<(), WanError> {
        self.send(Command::Stop)?;
        // They would keep the hosts' networks for as long as anybody keeps a handle.
        self.inlets.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }

    /// [`Inlet::narrow`] of a host. For tests only.
    pub(crate) fn narrow(&self, host: usize) -> io::Result<()> {
        let inlets = self.inlets.lock().unwrap_or_else(PoisonError::into_inner);
        inlets.get(host).map_or(Ok(()), Inlet::narrow)
    }

    /// Packets that the kernel dropped on their way to the WAN, over all hosts.
    fn before_wan(&self) -> Result<u64, WanError> {
        let mut inlets = self.inlets.lock().unwrap_or_else(PoisonError::into_inner);
        let dropped: Result<u64, _> = inlets.iter_mut().map(Inlet::dropped).sum();
        dropped.map_err(|error| WanError::Backend(format!("read what the kernel dropped: {error}")))
    }

    fn timed(&self, command: impl FnOnce(Sender<Changed>) -> Command) -> Result<Duration, WanError> {
        let start_ns = clock::now_ns();
        self.ask(command)??;
        Ok(Duration::from_nanos(clock::now_ns() - start_ns))
    }

    fn ask<T>(&self, command: impl FnOnce(Sender<T>) -> Command) -> Result<T, WanError> {
        let (done, answer) = channel();
        self.send(command(done))?;
        answer.recv().map_err(|_| WanError::Stopped)
    }

    fn send(&self, command: Command) -> Result<(), WanError> {
        self.commands.send(command).map_err(|_| WanError::Stopped)?;
        if let Some(mut bell) = self.bell.as_deref() {
            // A full socket means that the bell rings already.
            let _ = bell.write(&[1]);
        }
        Ok(())
    }
}
