//! From the front process to pid 1: fork, leave the terminal, enter the namespaces, start the lab. Over relays: below a
//! guard, and start the relays. The front process learns over a pipe how it went; when the pipe ends early, pid 1 is
//! dead and its log says why.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use farquorum_netem::forward::Forwarder;
use farquorum_netem::lab::{Entered, Lab, LabSpec, OPERATOR, Privilege, enter};
use farquorum_netem::relay::{Door, Relays, Reserved};
use nix::unistd::ForkResult;
use serde::{Deserialize, Serialize};

use super::guard::{self, Role};
use super::network::Network;
use super::plan::Forward;
use super::protocol::Checked;
use super::report;
use super::supervisor::{Plan, Supervisor};
use crate::failure::Failure;

/// Descriptors that the relays need at most: two for each of 512 connections, a door for each way, and some.
const DESCRIPTORS: u64 = 4_096;

/// How the start goes on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Event {
    /// It is there.
    Pid {
        /// Process id of pid 1 as this machine sees it: its end ends everything.
        pid: i32,
        /// The process that ends last.
        last: i32,
    },
    /// The lab is up: which backend and why.
    Lab(String),
    /// The self-test of every directed pair.
    Checked(Checked),
    /// All processes are started; the control socket answers.
    Started,
    /// It failed; pid 1 ends now.
    Failed(String),
}

/// All that pid 1 needs.
pub(crate) struct Launch {
    /// What runs where.
    pub(crate) plan: Plan,
    /// The network.
    pub(crate) spec: LabSpec,
    /// What the network is made of.
    pub(crate) means: Means,
    /// Control socket.
    pub(crate) socket: PathBuf,
    /// Log of the supervisor itself.
    pub(crate) log: PathBuf,
}

/// What the network is made of.
pub(crate) enum Means {
    /// Namespaces.
    Namespaces {
        /// How they may be made.
        privilege: Privilege,
        /// Ways in from this machine.
        forwards: Vec<Forward>,
    },
    /// Relays.
    Relays {
        /// Bound already.
        doors: Vec<Door>,
        /// Ports of the services.
        reserved: Vec<Reserved>,
        /// Why no namespaces.
        why: String,
    },
}

/// The front process's end of the pipe.
pub(crate) struct Events(BufReader<File>);

impl Events {
    /// The next event; `None` when pid 1 closed its end.
    pub(crate) fn next(&mut self) -> Option<Event> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(count) if count > 0 => serde_json::from_str(&line).ok(),
            _ => None,
        }
    }
}

/// The supervisor's end of the pipe.
struct Front(Option<File>);

impl Front {
    /// The front process may be gone (Ctrl-C): then nobody needs to know.
    fn tell(&mut self, event: &Event) {
        if let (Some(pipe), Ok(mut line)) = (&mut self.0, serde_json::to_vec(event)) {
            line.push(b'\n');
            let _gone = pipe.write_all(&line);
        }
    }

    /// Closes it: the front process takes its end for the supervisor's.
    fn leave(&mut self) {
        self.0 = None;
    }
}

/// Forks the supervisor, which inherits the lock of its folder and holds it for its life. This process must be
/// single-threaded.
pub(crate) fn launch(launch: Launch) -> Result<Events, Failure> {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(Failure::failed)?;
    // SAFETY: this process has one thread (main.rs makes no runtime before), so the child may go on as usual.
    match unsafe { nix::unistd::fork() }.map_err(Failure::failed)? {
        ForkResult::Parent { child } => {
            drop(write);
            // The intermediate process ends as soon as pid 1 exists.
            let mut events = Events(BufReader::new(File::from(read)));
            events.0.fill_buf()?;
            let _status = nix::sys::wait::waitpid(child, None);
            Ok(events)
        }
        ForkResult::Child => {
            drop(read);
            let mut front = Front(Some(File::from(write)));
            let code = match detach(&launch.log).and_then(|()| become_supervisor(launch, &mut front)) {
                Ok(()) => 0,
                Err(message) => {
                    front.tell(&Event::Failed(message));
                    1
                }
            };
            std::process::exit(code)
        }
    }
}

/// Leaves the terminal: its closing must not end the simulation.
fn detach(log: &Path) -> Result<(), String> {
    nix::unistd::setsid().map_err(|error| format!("setsid: {error}"))?;
    let null = File::open("/dev/null").map_err(|error| format!("/dev/null: {error}"))?;
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .map_err(|error| format!("{}: {error}", log.display()))?;
    let onto = |fd: OwnedFd, errors: OwnedFd| -> nix::Result<()> {
        nix::unistd::dup2_stdin(null.as_fd())?;
        nix::unistd::dup2_stdout(fd)?;
        nix::unistd::dup2_stderr(errors)
    };
    let copy = log.try_clone().map_err(|error| error.to_string())?;
    onto(log.into(), copy.into()).map_err(|error| format!("standard streams: {error}"))
}

fn become_supervisor(launch: Launch, front: &mut Front) -> Result<(), String> {
    let Launch { plan, spec, means, socket, .. } = launch;
    match means {
        Means::Namespaces { privilege, forwards } => {
            match enter(&privilege).map_err(|error| error.to_string())? {
                Entered::Parent { child } => {
                    front.tell(&Event::Pid { pid: child.as_raw(), last: child.as_raw() });
                    return Ok(());
                }
                Entered::Supervisor => begin(),
            }
            let lab = Lab::start(spec).map_err(|error| error.to_string())?;
            let operator = lab.netns(OPERATOR).ok_or("the lab has no operator host")?;
            let forwarder = Forwarder::run(forwards, operator).map_err(|error| error.to_string())?;
            supervise(Network::Lab { lab, _forwarder: forwarder }, plan, front, || bind(&socket))
        }
        Means::Relays { doors, reserved, why } => {
            let guarded = match guard::enter(&socket)? {
                Role::Caller => return Ok(()),
                Role::Guard(guard) => {
                    // Ports and pipe are the supervisor's alone: with it they close.
                    drop((doors, reserved));
                    front.leave();
                    guard.watch()
                }
                Role::Supervisor(guarded) => guarded,
            };
            begin();
            let pid = nix::unistd::getpid().as_raw();
            front.tell(&Event::Pid { pid, last: guarded.guard.as_raw() });
            raise_descriptors();
            let relays =
                Relays::start(spec, doors, &why).map_err(|error| format!("{error} (relays: {why})"))?;
            let network = Network::Relays { relays, _reserved: reserved, guarded: guarded.lifeline() };
            supervise(network, plan, front, || guarded.publish(&socket))
        }
    }
}

/// What the supervisor does first. Until here: a Ctrl-C reaches this branch of the family too while it is in the
/// terminal's group, and must end only the front process, which then ends the rest.
fn begin() {
    crate::runtime::release_interrupts();
    crate::logging::start(crate::logging::Format::Text);
}

/// A relayed connection has two descriptors, and 1,024 is a common limit of a process, which it may raise by itself.
/// Where it may not, new connections wait when they are used up.
fn raise_descriptors() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(soft, hard)| setrlimit(Resource::RLIMIT_NOFILE, soft.max(hard.min(DESCRIPTORS)), hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

fn bind(socket: &Path) -> Result<UnixListener, String> {
    // Of one that was killed: this process holds the folder's lock, so nobody listens there.
    let _old = std::fs::remove_file(socket);
    UnixListener::bind(socket).map_err(|error| format!("{}: {error}", socket.display()))
}

fn supervise(
    network: Network,
    plan: Plan,
    front: &mut Front,
    listen: impl FnOnce() -> Result<UnixListener, String>,
) -> Result<(), String> {
    front.tell(&Event::Lab(network.backend().to_owned()));
    let checked = report::check(&network, plan.lateness_p99_max)?;
    let problems = checked.problems.join("; ");
    front.tell(&Event::Checked(checked));
    if !problems.is_empty() {
        return Err(format!("the emulated WAN is not as configured: {problems}"));
    }
    let listener = listen()?;
    let supervisor = Supervisor::new(network, plan).map_err(|error| error.to_string())?;
    stop_when_asked(&supervisor)?;
    supervisor.start_all()?;
    front.tell(&Event::Started);
    supervisor.serve(&listener);
    Ok(())
}

/// The kernel keeps signals that nobody handles from a pid 1; so SIGTERM is handled, and stops all in order as `sim down`
/// does.
fn stop_when_asked(supervisor: &Arc<Supervisor>) -> Result<(), String> {
    let (supervisor, guarded) = (Arc::clone(supervisor), Arc::clone(supervisor));
    let wait = move || match crate::runtime::await_interrupt() {
        Ok(()) => supervisor.stop_and_exit(),
        Err(error) => tracing::error!(%error, "signals do not stop the simulation"),
    };
    let thread = std::thread::Builder::new().name("signals".into()).spawn(wait);
    thread.map(drop).map_err(|error| format!("no thread for signals: {error}"))?;
    let wait = move || {
        if guarded.network.await_end().is_some() {
            tracing::error!("the supervisor's guard has ended: everything stops");
            guarded.stop_and_exit();
        }
    };
    let thread = std::thread::Builder::new().name("guard".into()).spawn(wait);
    thread.map(drop).map_err(|error| format!("no thread for the guard's end: {error}"))
}
