//! `sim exec`: a program of the user's inside a host of the emulated WAN, with the caller's streams, folder,
//! environment and user id.

use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::Pid;

use super::protocol::{Exec, Request, Response};
use super::reaper::Reaper;
use super::socket::Line;
use super::supervisor::Supervisor;

/// Runs the program; answers when it has ended. When the caller goes away first, the program is killed.
pub(crate) fn serve(supervisor: &Arc<Supervisor>, line: &mut Line, exec: &Exec) -> Option<Response> {
    let fds = line.take_fds();
    match start(supervisor, exec, fds) {
        Ok(pid) => {
            relay_signals(supervisor.reaper.clone(), line, pid);
            let code = supervisor.reaper.wait(pid, None)?;
            supervisor.reaper.forget(pid);
            Some(Response::Exited(code))
        }
        Err(refusal) => Some(refusal),
    }
}

/// A request that is wrong.
fn wrong(message: String) -> Response {
    Response::Error { usage: true, message }
}

/// A program that does not start has the exit code that a shell gives it.
fn not_started(error: &std::io::Error, message: String) -> Response {
    let code = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
    Response::NotStarted { code, message }
}

fn start(supervisor: &Supervisor, exec: &Exec, fds: Vec<OwnedFd>) -> Result<Pid, Response> {
    let [stdin, stdout, stderr] = <[OwnedFd; 3]>::try_from(fds)
        .map_err(|got| wrong(format!("exec needs the caller's three streams, {} came", got.len())))?;
    let none = || wrong("exec needs a program: sim exec HOST -- PROGRAM".to_owned());
    let (program, args) = exec.argv.split_first().ok_or_else(none)?;
    let mut command = Command::new(program);
    command.args(args).current_dir(&exec.cwd).env_clear().envs(exec.environment.iter().cloned());
    command.env("FARQUORUM_HOST", &exec.host);
    command
        .stdin(Stdio::from(stdin))
        .stdout(Stdio::from(stdout))
        .stderr(Stdio::from(stderr))
        .process_group(0);
    supervisor.network.place_program(&exec.host, &mut command).map_err(wrong)?;
    heed_signals(&mut command);
    become_caller(&mut command, exec.uid, exec.gid);
    supervisor.reaper.spawn(&mut command).map_err(|error| {
        let at = format!("{} in {}", exec.host, exec.cwd.display());
        not_started(&error, format!("cannot run {program} on {at}: {error}"))
    })
}

/// A simulation that was started by nohup, or in the background of a shell, ignores signals that the program must get: what is
/// passed on to it is the caller's to ignore.
fn heed_signals(command: &mut Command) {
    let step = || -> std::io::Result<()> {
        for kind in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
            // SAFETY: sets the default action, no handler of ours.
            unsafe { signal(kind, SigHandler::SigDfl) }?;
        }
        Ok(())
    };
    // SAFETY: the closure makes one system call for each signal.
    unsafe { command.pre_exec(step) };
}

/// Programs such as databases refuse to run as root. Inside a user namespace of its own the program has the caller's
/// id, which stands for the same user outside.
fn become_caller(command: &mut Command, uid: u32, gid: u32) {
    if uid == 0 {
        return;
    }
    let inside = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    let uid_map = format!("{uid} {} 1\n", inside.0);
    let gid_map = format!("{gid} {} 1\n", inside.1);
    let step = move || -> std::io::Result<()> {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER)?;
        write_all(c"/proc/self/setgroups", b"deny")?;
        write_all(c"/proc/self/uid_map", uid_map.as_bytes())?;
        write_all(c"/proc/self/gid_map", gid_map.as_bytes())
    };
    // SAFETY: the closure makes system calls only (unshare, open, write, close) on memory made before the fork.
    unsafe { command.pre_exec(step) };
}

/// Async-signal-safe: no allocation, no locks.
fn write_all(path: &std::ffi::CStr, bytes: &[u8]) -> std::io::Result<()> {
    use nix::fcntl::{OFlag, open};
    let fd = open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, nix::sys::stat::Mode::empty())?;
    nix::unistd::write(&fd, bytes)?;
    Ok(())
}

/// A thread that passes the caller's signals on, and kills the program's group when the caller is gone first. What the
/// program leaves in the background when it ends goes on, as outside.
fn relay_signals(reaper: Reaper, line: &Line, pid: Pid) {
    let Ok(stream) = line.stream() else { return };
    let relay = move || {
        let mut line = Line::new(stream);
        while let Ok(Some(Request::Signal(number))) = line.receive::<Request>() {
            let signal = Signal::try_from(number).unwrap_or(Signal::SIGTERM);
            reaper.signal_group(pid, signal);
        }
        reaper.signal_group(pid, Signal::SIGKILL);
    };
    // Without the thread the program only misses signals; it still ends with the simulation.
    let _unstarted = std::thread::Builder::new().name("exec-signals".into()).spawn(relay);
}
