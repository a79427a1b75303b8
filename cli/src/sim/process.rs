//! The process of one host: how it is started, and kill, pause, resume, restart.

use std::fs::OpenOptions;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::network::Network;
use super::reaper::{Ended, Reaper};

/// How long a process may take to stop by itself before it is killed: a node hands leadership over first.
const STOP_TIMEOUT: Duration = Duration::from_secs(8);

/// The same for another program, which may have a machine to switch off.
const STOP_TIMEOUT_INSTEAD: Duration = Duration::from_secs(30);

/// The binary that runs at the moment, also when its file was replaced by a newer build meanwhile.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// What runs on a host: this binary, or another program, with these arguments.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// Host.
    pub(crate) host: String,
    /// The other program.
    pub(crate) instead: Option<PathBuf>,
    /// Arguments after the binary's name.
    pub(crate) args: Vec<String>,
    /// Where its output goes; appended.
    pub(crate) log: PathBuf,
}

/// The process of one host.
pub(crate) struct Process {
    /// What it is.
    pub(crate) program: Program,
    pid: Option<Pid>,
    paused: bool,
    /// Its end is awaited, in order to start it again.
    restarting: bool,
    /// Starts so far.
    pub(crate) starts: u32,
    last_end: Option<i32>,
}

impl Process {
    /// Not started yet.
    pub(crate) fn new(program: Program) -> Self {
        Self { program, pid: None, paused: false, restarting: false, starts: 0, last_end: None }
    }

    /// Starts it inside its host.
    pub(crate) fn start(&mut self, network: &Network, reaper: &Reaper) -> Result<(), String> {
        let host = self.program.host.clone();
        let failed =
            |what: &str, error: &dyn std::fmt::Display| format!("cannot start {host}: {what}: {error}");
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.program.log)
            .map_err(|error| failed(&self.program.log.display().to_string(), &error))?;
        let errors = log.try_clone().map_err(|error| failed("its log", &error))?;
        let program = self.program.instead.as_deref().unwrap_or(Path::new(THIS_PROGRAM));
        let mut command = Command::new(program);
        command.args(&self.program.args).env_clear().envs(kept_environment());
        command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
        network.place(&host, &mut command).map_err(|error| failed("its network", &error))?;
        let unstarted = |error| failed(&program.display().to_string(), &error);
        self.pid = Some(reaper.spawn(&mut command).map_err(unstarted)?);
        self.paused = false;
        self.starts += 1;
        Ok(())
    }

    /// Its process id when it runs (also when paused).
    pub(crate) fn running(&mut self, reaper: &Reaper) -> Option<Pid> {
        let pid = self.pid?;
        if let Some(ended) = reaper.ended(pid) {
            self.last_end = Some(ended);
            self.pid = None;
            reaper.forget(pid);
        }
        self.pid
    }

    /// running, paused, restarting, stopped (exit status N).
    pub(crate) fn state(&mut self, reaper: &Reaper) -> String {
        if self.restarting {
            return "restarting".to_owned();
        }
        match (self.running(reaper), self.paused, self.last_end) {
            (Some(_), true, _) => "paused".to_owned(),
            (Some(_), false, _) => "running".to_owned(),
            (None, _, Some(code)) if code > 128 => format!("stopped (signal {})", code - 128),
            (None, _, Some(code)) => format!("stopped (exit status {code})"),
            (None, _, None) => "stopped".to_owned(),
        }
    }

    /// SIGKILL, and waits for the end. One that is being restarted loses the rest of its time to stop by itself.
    pub(crate) fn kill(&mut self, reaper: &Reaper) -> Result<(), String> {
        if self.restarting {
            return self.running(reaper).map_or(Ok(()), |pid| send_all(pid, Signal::SIGKILL));
        }
        let pid = self.must_run(reaper)?;
        send_all(pid, Signal::SIGKILL)?;
        self.ended(pid, reaper.wait(pid, Some(STOP_TIMEOUT)), reaper);
        Ok(())
    }

    /// SIGSTOP.
    pub(crate) fn pause(&mut self, reaper: &Reaper) -> Result<(), String> {
        send_all(self.must_run(reaper)?, Signal::SIGSTOP)?;
        self.paused = true;
        Ok(())
    }

    /// SIGCONT.
    pub(crate) fn resume(&mut self, reaper: &Reaper) -> Result<(), String> {
        send_all(self.must_run(reaper)?, Signal::SIGCONT)?;
        self.paused = false;
        Ok(())
    }

    /// Asks it to stop; a paused one is resumed for that.
    pub(crate) fn terminate(&mut self, reaper: &Reaper) {
        if let Some(pid) = self.running(reaper) {
            let _gone = send(pid, Signal::SIGTERM);
            let _gone = send_all(pid, Signal::SIGCONT);
        }
    }

    /// Waits for the end, then kills.
    pub(crate) fn await_end(&mut self, reaper: &Reaper, limit: Duration) {
        let Some(pid) = self.running(reaper) else { return };
        let end = Leaving { pid, limit }.await_end(reaper);
        self.ended(pid, end, reaper);
    }

    /// Asks it to stop, in order to start it again: with what this gives, its end is awaited, and then comes
    /// [`Process::start_again`]. `None`: it does not run.
    pub(crate) fn leave(&mut self, reaper: &Reaper) -> Result<Option<Leaving>, String> {
        self.must_not_restart()?;
        self.terminate(reaper);
        self.restarting = true;
        let limit = if self.program.instead.is_some() { STOP_TIMEOUT_INSTEAD } else { STOP_TIMEOUT };
        Ok(self.running(reaper).map(|pid| Leaving { pid, limit }))
    }

    /// Starts it after [`Process::leave`].
    pub(crate) fn start_again(&mut self, network: &Network, reaper: &Reaper) -> Result<(), String> {
        self.restarting = false;
        if let Some(pid) = self.running(reaper) {
            // It does not go, not even by SIGKILL. What it holds, the new one will name.
            self.ended(pid, None, reaper);
        }
        self.start(network, reaper)
    }

    fn ended(&mut self, pid: Pid, end: Option<Ended>, reaper: &Reaper) {
        self.last_end = end;
        self.pid = None;
        if end.is_some() {
            reaper.forget(pid);
        }
    }

    fn must_not_restart(&self) -> Result<(), String> {
        let host = &self.program.host;
        let message = || format!("{host} is being restarted; farquorum sim kill {host} cuts that short");
        if self.restarting { Err(message()) } else { Ok(()) }
    }

    fn must_run(&mut self, reaper: &Reaper) -> Result<Pid, String> {
        self.must_not_restart()?;
        let state = self.state(reaper);
        self.running(reaper).ok_or_else(|| {
            let host = &self.program.host;
            format!("{host} is {state}; start it with: farquorum sim restart {host}")
        })
    }
}

/// A process that was asked to stop. It is awaited without its [`Process`], which others look at meanwhile.
pub(crate) struct Leaving {
    pid: Pid,
    limit: Duration,
}

impl Leaving {
    /// Waits for the end, then kills. `None`: it did not even end then, for as long again.
    pub(crate) fn await_end(&self, reaper: &Reaper) -> Option<Ended> {
        reaper.wait(self.pid, Some(self.limit)).or_else(|| {
            let _gone = send_all(self.pid, Signal::SIGKILL);
            reaper.wait(self.pid, Some(self.limit))
        })
    }
}

/// What a process of the simulation keeps of the environment: enough to run programs, nothing that configures it.
fn kept_environment() -> impl Iterator<Item = (String, String)> {
    ["PATH", "HOME", "LANG", "TMPDIR", "RUST_BACKTRACE", "FARQUORUM_LOG"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
}

fn send(pid: Pid, signal: Signal) -> Result<(), String> {
    kill(pid, signal).map_err(|error| format!("{signal} to process {pid}: {error}"))
}

/// To a process and what it started: the machine of a host is a child of its program.
fn send_all(pid: Pid, signal: Signal) -> Result<(), String> {
    killpg(pid, signal).map_err(|error| format!("{signal} to the processes of group {pid}: {error}"))
}
