//! From the front process to pid 1: fork, leave the terminal, enter the namespaces, start the lab. The front process
//! learns over a pipe how it went; when the pipe ends early, pid 1 is dead and its log says why.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;

use farquorum_netem::forward::Forwarder;
use farquorum_netem::lab::{Entered, Lab, LabSpec, OPERATOR, Privilege, enter};
use nix::unistd::ForkResult;
use serde::{Deserialize, Serialize};

use super::plan::Forward;
use super::protocol::Checked;
use super::report;
use super::supervisor::{Plan, Supervisor};
use crate::failure::Failure;

/// How the start goes on.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Event {
    /// Process id of pid 1 as this machine sees it.
    Pid(i32),
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
    /// How the namespaces may be made.
    pub(crate) privilege: Privilege,
    /// Ways in from this machine.
    pub(crate) forwards: Vec<Forward>,
    /// Control socket.
    pub(crate) socket: PathBuf,
    /// Log of the supervisor itself.
    pub(crate) log: PathBuf,
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

/// Forks the supervisor. This process must be single-threaded.
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
            let mut pipe = File::from(write);
            let code = match detach(&launch.log).and_then(|()| become_supervisor(launch, &mut pipe)) {
                Ok(()) => 0,
                Err(message) => {
                    tell(&mut pipe, &Event::Failed(message));
                    1
                }
            };
            std::process::exit(code)
        }
    }
}

/// Leaves the terminal: its closing must not end the simulation.
fn detach(log: &std::path::Path) -> Result<(), String> {
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

fn become_supervisor(launch: Launch, pipe: &mut File) -> Result<(), String> {
    match enter(&launch.privilege).map_err(|error| error.to_string())? {
        Entered::Parent { child } => {
            tell(pipe, &Event::Pid(child.as_raw()));
            Ok(())
        }
        Entered::Supervisor => {
            // Until here: a Ctrl-C reaches this branch of the family too while it is in the terminal's group, and must
            // end only the front process, which then ends the rest.
            crate::runtime::release_interrupts();
            supervise(launch, pipe)
        }
    }
}

fn supervise(launch: Launch, pipe: &mut File) -> Result<(), String> {
    crate::logging::start(crate::logging::Format::Text);
    let lab = Lab::start(launch.spec).map_err(|error| error.to_string())?;
    tell(pipe, &Event::Lab(lab.backend().to_owned()));
    let checked = report::check(&lab, launch.plan.lateness_p99_max)?;
    let problems = checked.problems.join("; ");
    tell(pipe, &Event::Checked(checked));
    if !problems.is_empty() {
        return Err(format!("the emulated WAN is not as configured: {problems}"));
    }
    let operator = lab.netns(OPERATOR).ok_or("the lab has no operator host")?;
    let forwarder = Forwarder::run(launch.forwards, operator).map_err(|error| error.to_string())?;
    let _old = std::fs::remove_file(&launch.socket);
    let listener = UnixListener::bind(&launch.socket)
        .map_err(|error| format!("{}: {error}", launch.socket.display()))?;
    let supervisor = Supervisor::new(lab, forwarder, launch.plan).map_err(|error| error.to_string())?;
    stop_when_asked(&supervisor)?;
    supervisor.start_all()?;
    tell(pipe, &Event::Started);
    supervisor.serve(&listener);
    Ok(())
}

/// The kernel keeps signals that nobody handles from a pid 1; so SIGTERM is handled, and stops all in order as `sim down`
/// does.
fn stop_when_asked(supervisor: &Arc<Supervisor>) -> Result<(), String> {
    let supervisor = Arc::clone(supervisor);
    let wait = move || match crate::runtime::await_interrupt() {
        Ok(()) => supervisor.stop_and_exit(),
        Err(error) => tracing::error!(%error, "signals do not stop the simulation"),
    };
    let thread = std::thread::Builder::new().name("signals".into()).spawn(wait);
    thread.map(drop).map_err(|error| format!("no thread for signals: {error}"))
}

/// The front process may be gone (Ctrl-C): then nobody needs to know.
fn tell(pipe: &mut File, event: &Event) {
    if let Ok(mut line) = serde_json::to_vec(event) {
        line.push(b'\n');
        let _gone = pipe.write_all(&line);
    }
}
