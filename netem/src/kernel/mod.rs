//! The kernel backend: the kernel's own netem (sch_netem) delays the packets, one for each directed link, and no packet
//! passes through this process.
//!
//! It obeys the same commands as the WAN in user space ([`crate::wan`]), on a thread that does nothing but that. For
//! people who want the reference emulator or a packet rate beyond one core's; what netem cannot do is refused, never
//! approximated ([`shape`]). It runs only where a netem was really made ([`probe`]): many kernels have none.
//!
//! Limits: the lateness of packets is not known; packets that reach no link, or are dropped because two hosts are cut
//! from each other, are not counted; a sender's address is not checked.

mod edges;
mod ledger;
mod links;
mod pairs;
mod probe;
mod qdisc;
mod routing;
mod shape;
mod table;

use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, Builder};

use farquorum_config::LinkShape;

use crate::clock;
use crate::error::{Doing, LabError};
use crate::lab::LabSpec;
use crate::model::link_seed;
use crate::wan::{COMMANDS_MAX, Changed, Command, LatenessLog, Names, Strays, Wan, WanControl, WanError};
use links::Links;
pub(crate) use probe::probe;
use qdisc::Netem;

/// Packets that may wait in front of an interface that has no netem: veth pairs keep none, and the kernel asks.
const QUEUE_PACKETS: u32 = 10_000;

/// Makes hosts and links of a checked spec; gives the network namespaces of the hosts in their order.
pub(crate) fn start(spec: &LabSpec) -> Result<(Vec<OwnedFd>, Wan), LabError> {
    let shaped = shaped(spec)?;
    let netems: Vec<_> = shaped.iter().map(|(_, netem)| netem.clone()).collect();
    let (hosts, edges) = thread::scope(|scope| {
        let maker = scope.spawn(|| edges::make(spec, &netems));
        let panicked = |_| Err(LabError::Child("the thread that makes the network panicked".to_string()));
        maker.join().unwrap_or_else(panicked)
    })?;
    Ok((hosts, keep(spec, edges, shaped, Devices::EndWithTheirNetworks)?))
}

/// Makes the links of a checked spec in the calling thread's network, as the gateway of containers wants them; `names`
/// gives the two ends of the link from one cloud to another. When the WAN is stopped they are deleted; when this process is
/// killed they stay.
pub(crate) fn start_pairs(
    spec: &LabSpec,
    names: impl Fn(usize, usize) -> (String, String),
) -> Result<Wan, LabError> {
    let shaped = shaped(spec)?;
    let netems: Vec<_> = shaped.iter().map(|(_, netem)| netem.clone()).collect();
    let edges = pairs::make(spec.clouds.len(), &netems, spec.mtu, names);
    let edges = edges.map_err(|error| LabError::NoNetem(format!("make a link with a netem: {error}")))?;
    keep(spec, edges, shaped, Devices::AreOurs)
}

/// What becomes of the devices with the netems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Devices {
    /// The kernel deletes them with the namespaces in which they are.
    EndWithTheirNetworks,
    /// They are in a network that goes on: the last thing is to delete them.
    AreOurs,
}

/// Starts the thread that obeys.
fn keep(
    spec: &LabSpec,
    edges: Vec<edges::Edge>,
    shaped: Vec<(LinkShape, Netem)>,
    devices: Devices,
) -> Result<Wan, LabError> {
    let links = Links::of(spec, edges, shaped);
    let keeper = Keeper { links, spec: spec.clone(), lateness: LatenessLog::new()?, devices };
    let (sender, commands) = sync_channel(COMMANDS_MAX);
    let thread = Builder::new()
        .name("wan".to_string())
        .spawn(move || keeper.run(&commands))
        .doing(|| "start the WAN's thread".to_string())?;
    let control = WanControl::new(sender, None, Names::of(spec), Vec::new());
    Ok(Wan { control, thread, words: "one netem for each directed link".to_string() })
}

/// The shape of every link, with the netem that has it.
fn shaped(spec: &LabSpec) -> Result<Vec<(LinkShape, Netem)>, LabError> {
    let mut shaped = Vec::with_capacity(spec.clouds.len() * spec.clouds.len());
    for (number, (from, to)) in pairs(spec).enumerate() {
        let configured = spec.links.iter().find(|link| link.from == *from && link.to == *to);
        let shape = configured.map_or(&spec.local, |link| &link.shape).clone();
        let netem = netem(spec, &shape, number).map_err(LabError::Spec)?;
        shaped.push((shape, netem));
    }
    Ok(shaped)
}

/// The netem of a link, by its number; or why there is none.
fn netem(spec: &LabSpec, shape: &LinkShape, number: usize) -> Result<Netem, String> {
    let seed = pairs(spec).nth(number).map_or(0, |(from, to)| link_seed(spec.seed, from, to));
    let refused = |error| format!("link {}: {error}", edges::link_name(spec, number));
    shape::netem(shape, spec.mtu, seed).map_err(refused)
}

/// All ordered pairs of clouds, also of a cloud with itself, in the order of the links.
fn pairs(spec: &LabSpec) -> impl Iterator<Item = (&String, &String)> {
    spec.clouds.keys().flat_map(|from| spec.clouds.keys().map(move |to| (from, to)))
}

/// The thread's state. The namespaces of the edges end with it.
struct Keeper {
    links: Links,
    spec: LabSpec,
    /// Stays empty: nobody sees the packets.
    lateness: LatenessLog,
    devices: Devices,
}

impl Keeper {
    /// Obeys until told to stop, or until nobody holds a handle any more.
    fn run(mut self, commands: &Receiver<Command>) {
        self.obey(commands);
        if self.devices == Devices::AreOurs
            && let Err(error) = self.links.delete()
        {
            tracing::error!(%error, "a link could not be deleted, and still passes packets");
        }
    }

    fn obey(&mut self, commands: &Receiver<Command>) {
        while let Ok(command) = commands.recv() {
            // A caller that no longer waits for its answer is no error.
            match command {
                Command::SetLink { from, to, shape, done } => drop(done.send(self.set_link(from, to, shape))),
                Command::Cut { from, to, cut, done } => {
                    drop(done.send(self.links.set_cuts(|cuts| cuts.set(from, to, cut))));
                }
                Command::Isolate { site, cut, done } => {
                    drop(done.send(self.links.set_cuts(|cuts| cuts.set_isolated(site, cut))));
                }
                Command::HealAll { done } => drop(done.send(self.links.set_cuts(crate::wan::Cuts::heal_all))),
                Command::Links { done } => drop(done.send(self.links.report())),
                Command::LatenessMark { done } => drop(done.send(self.lateness.mark(0))),
                // Not counted.
                Command::Strays { done } => drop(done.send(Strays::default())),
                Command::CpuTime { done } => drop(done.send(clock::thread_cpu())),
                Command::Stop => return,
            }
        }
    }

    fn set_link(&mut self, from: usize, to: usize, shape: LinkShape) -> Changed {
        let number = from * self.spec.clouds.len() + to;
        let netem = netem(&self.spec, &shape, number).map_err(WanError::Backend)?;
        self.links.set_shape((from, to), shape, netem)
    }
}
