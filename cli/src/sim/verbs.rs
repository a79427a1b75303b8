//! The verbs that ask the running supervisor for one thing.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::fd::AsRawFd as _;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::folder::Folder;
use super::lock::{self, Lock};
use super::protocol::{Exec, LEADER, NOTHING_RUNS, Request, Response};
use super::ready;
use super::socket::{self, answer, ask};
use crate::args::Global;
use crate::failure::{Failure, Kind};
use crate::output::{self, Show};
use crate::paths;

/// `sim down`
#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    /// Delete its data, certificates and logs too
    #[arg(long)]
    purge: bool,
}

/// A directed pair.
#[derive(Debug, Args)]
pub(crate) struct PairArgs {
    /// Cloud or host that sends
    pub(crate) from: String,
    /// Cloud or host that receives
    pub(crate) to: String,
}

/// `sim heal`
#[derive(Debug, Args)]
pub(crate) struct HealArgs {
    /// Cloud or host that sends; alone: all its pairs, both ways; none: every cut
    pub(crate) from: Option<String>,
    /// Cloud or host that receives
    pub(crate) to: Option<String>,
}

/// A cloud or host.
#[derive(Debug, Args)]
pub(crate) struct NameArgs {
    /// Cloud or host
    // Not `name`: that is the simulation's (`--name`), and clap knows arguments by the names of their fields.
    pub(crate) place: String,
}

/// A host.
#[derive(Debug, Args)]
pub(crate) struct HostArgs {
    /// Host, as `sim status` names it, or `leader`
    pub(crate) host: String,
}

/// `sim exec`
#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    /// Host
    host: String,
    /// Program and arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    argv: Vec<String>,
}

/// Asks for something that answers only that it is done.
pub(crate) fn simple(folder: &Folder, request: &Request) -> Result<ExitCode, Failure> {
    ask(&folder.socket()?, request)?;
    Ok(ExitCode::SUCCESS)
}

/// A verb on one host's process; `leader` becomes the leader's name.
pub(crate) fn process(
    global: &Global,
    folder: &Folder,
    host: &str,
    request: impl FnOnce(String) -> Request,
) -> Result<ExitCode, Failure> {
    something_runs(folder)?;
    let host = if host == LEADER { ready::leader(folder)? } else { host.to_owned() };
    let request = request(host.clone());
    ask(&folder.socket()?, &request)?;
    output::print(global.output, &Host { host })?;
    Ok(ExitCode::SUCCESS)
}

/// The host that something was done to.
#[derive(Serialize)]
struct Host {
    host: String,
}

impl Show for Host {
    fn table(&self) -> String {
        self.host.clone()
    }
}

/// Refuses when the simulation is only a network: then no host has a process, and nobody leads.
fn something_runs(folder: &Folder) -> Result<(), Failure> {
    match ask(&folder.socket()?, &Request::Status)? {
        Response::Status(status) if status.hosts.iter().all(|host| host.state == NOTHING_RUNS) => {
            let why = "this simulation is only the network (sim up --no-cluster): no host has a process, none leads";
            Err(Failure::new(Kind::Refused, why).hint("farquorum sim exec HOST -- PROGRAM runs one"))
        }
        _ => Ok(()),
    }
}

/// Stops the simulation.
pub(crate) fn down(name: &str, folder: &Folder, args: &DownArgs) -> Result<ExitCode, Failure> {
    if nothing_answers(folder)? {
        // What was asked for holds already; who mistyped a name wants to know.
        let others = running()?;
        let others =
            if others.is_empty() { String::new() } else { format!("; running: {}", others.join(", ")) };
        output::say_aside(&format!("no simulation named {name:?} runs{others}"));
    }
    take_down(folder, args.purge)?;
    Ok(ExitCode::SUCCESS)
}

/// Stops the simulation and waits until its supervisor is gone. One that does not run is no failure.
pub(crate) fn take_down(folder: &Folder, purge: bool) -> Result<(), Failure> {
    if std::fs::symlink_metadata(&folder.root).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(());
    }
    let lock = stop(folder)?;
    for leftover in [folder.socket()?, folder.context()] {
        match std::fs::remove_file(&leftover) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Failure::failed(format!("cannot delete {}: {error}", leftover.display())));
            }
            _ => {}
        }
    }
    // What root's processes wrote: without this the next start would need sudo too.
    if purge { lock.purge() } else { paths::give_to_caller(&folder.root) }
}

/// Ends the supervisor if there is one, and takes the lock that it held. One that just starts is waited for.
fn stop(folder: &Folder) -> Result<Lock, Failure> {
    let socket = folder.socket()?;
    let until = Instant::now() + lock::PATIENCE;
    loop {
        match socket::connect(&socket) {
            Ok(mut line) => socket::stop(&mut line)?,
            Err(failure) if failure.kind() == Kind::Refused => return Err(failure),
            Err(_) => {}
        }
        if let Some(lock) = Lock::try_take(folder)? {
            return Ok(lock);
        }
        if Instant::now() >= until {
            return Err(lock::held(folder));
        }
        std::thread::sleep(lock::TRY_AGAIN);
    }
}

/// Prints what the supervisor knows.
pub(crate) fn status(global: &Global, folder: &Folder) -> Result<ExitCode, Failure> {
    let answer = ask(&folder.socket()?, &Request::Status).map_err(|failure| match running() {
        Ok(others) if failure.kind() == Kind::NotAvailable && !others.is_empty() => {
            let hint = format!("--name with one that runs: {}; or make sim-up", others.join(", "));
            Failure::new(failure.kind(), failure.message()).hint(hint)
        }
        _ => failure,
    });
    if let Response::Status(status) = answer? {
        output::print(global.output, &*status)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a program inside a host and ends as it ended.
pub(crate) fn exec(folder: &Folder, args: &ExecArgs) -> Result<ExitCode, Failure> {
    let mut line = socket::connect(&folder.socket()?)?;
    let request = Request::Exec(Exec {
        host: args.host.clone(),
        argv: args.argv.clone(),
        cwd: std::env::current_dir()?,
        environment: environment(),
        uid: nix::unistd::geteuid().as_raw(),
        gid: nix::unistd::getegid().as_raw(),
    });
    forward_signals(&line)?;
    let streams =
        [std::io::stdin().as_raw_fd(), std::io::stdout().as_raw_fd(), std::io::stderr().as_raw_fd()];
    line.send(&request, &streams)?;
    match answer(&mut line)? {
        Response::NotStarted { code, message } => {
            Failure::failed(message).print();
            Ok(ExitCode::from(code))
        }
        Response::Exited(code) => Ok(ExitCode::from(u8::try_from(code).unwrap_or(1))),
        other => Err(Failure::failed(format!("the supervisor answered {other:?}"))),
    }
}

/// This process's variables. The request is JSON: what is not UTF-8 cannot be sent, and is named.
fn environment() -> Vec<(String, String)> {
    let text = |(name, value): (OsString, OsString)| match (name.into_string(), value.into_string()) {
        (Ok(name), Ok(value)) => Some((name, value)),
        (name, _) => {
            let name = name.unwrap_or_else(|name| name.to_string_lossy().into_owned());
            output::say_aside(&format!(
                "warning: the variable {name} is not UTF-8: the program runs without it"
            ));
            None
        }
    };
    std::env::vars_os().filter_map(text).collect()
}

/// The program is no child of this process: what the terminal sends here is passed on.
fn forward_signals(line: &socket::Line) -> Result<(), Failure> {
    use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
    let mut set = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        set.add(signal);
    }
    pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&set), None).map_err(Failure::failed)?;
    let mut writer = socket::Line::new(line.stream()?);
    let forward = move || {
        while let Ok(signal) = set.wait() {
            #[allow(clippy::as_conversions, reason = "nix gives signals as a C enum; there is no From")]
            let number = signal as i32;
            if writer.send(&Request::Signal(number), &[]).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(forward)?;
    Ok(())
}

/// Measures every directed pair; exit code 1 when one is off.
pub(crate) fn check(global: &Global, folder: &Folder) -> Result<ExitCode, Failure> {
    let Response::Checked(checked) = ask(&folder.socket()?, &Request::Check)? else {
        return Err(Failure::failed("the supervisor answered something else"));
    };
    output::print(global.output, &checked)?;
    if checked.problems.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::failed(format!("the emulated WAN is not as configured: {}", checked.problems.join("; "))))
}

#[derive(Serialize)]
struct Running {
    simulations: Vec<String>,
}

impl Show for Running {
    fn table(&self) -> String {
        if self.simulations.is_empty() {
            "no simulation runs".to_owned()
        } else {
            self.simulations.join("\n")
        }
    }
}

/// Lists what answers.
pub(crate) fn list(global: &Global) -> Result<ExitCode, Failure> {
    output::print(global.output, &Running { simulations: running()? })?;
    Ok(ExitCode::SUCCESS)
}

/// Whether nobody listens on the simulation's socket.
fn nothing_answers(folder: &Folder) -> Result<bool, Failure> {
    Ok(socket::connect(&folder.socket()?).is_err_and(|failure| failure.kind() == Kind::NotAvailable))
}

/// Names of the simulations that answer.
fn running() -> Result<Vec<String>, Failure> {
    let root = paths::state_dir()?.join("sim");
    let mut simulations = Vec::new();
    for entry in std::fs::read_dir(&root).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let answers = Folder::named(&name).and_then(|folder| ask(&folder.socket()?, &Request::Status));
        if answers.is_ok() {
            simulations.push(name);
        }
    }
    simulations.sort();
    Ok(simulations)
}

/// Fails when the simulation already runs.
pub(crate) fn must_not_run(global: &Global, name: &str, folder: &Folder) -> Result<(), Failure> {
    match ask(&folder.socket()?, &Request::Status) {
        Ok(Response::Status(status)) => {
            output::print(global.output, &*status)?;
            Err(Failure::new(Kind::Refused, format!("a simulation named {name:?} already runs (above)"))
                .hint("farquorum sim down, or another --name to run one beside it"))
        }
        // It runs, and belongs to somebody else.
        Err(failure) if failure.kind() == Kind::Refused => Err(failure),
        _ => Ok(()),
    }
}
