//! What a simulation could leave behind on the machine: processes, namespaces, interfaces, sockets.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use super::BINARY;

/// Everything of this machine that a simulation may touch. Two are equal when nothing was left behind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Traces {
    /// Processes that run the binary under test for this state folder.
    pub(crate) processes: BTreeSet<i32>,
    /// Network namespaces in which processes of this state folder are, other than the test's own.
    pub(crate) namespaces: BTreeSet<PathBuf>,
    /// Network interfaces.
    pub(crate) interfaces: BTreeSet<String>,
    /// Sockets and context files below the state folder.
    pub(crate) files: BTreeSet<PathBuf>,
    /// Forwarded ports of the context on which this machine still answers.
    pub(crate) ports: BTreeSet<String>,
}

impl Traces {
    /// Looks at the machine; `ports` are addresses that a simulation listened on.
    pub(crate) fn of(state: &Path, ports: &[String]) -> Self {
        let processes = processes_with(state);
        let own = fs::read_link("/proc/self/ns/net").unwrap();
        let namespace = |pid: &i32| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let namespaces = processes.iter().filter_map(namespace).filter(|found| *found != own).collect();
        let interfaces = fs::read_dir("/sys/class/net").unwrap();
        let interfaces =
            interfaces.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        let mut files = BTreeSet::new();
        collect(state, &mut files);
        let answers = |address: &&String| std::net::TcpStream::connect(address.as_str()).is_ok();
        Self {
            processes,
            namespaces,
            interfaces,
            files,
            ports: ports.iter().filter(answers).cloned().collect(),
        }
    }

    /// Nothing of a simulation is there.
    pub(crate) fn is_clean(&self) -> bool {
        self.processes.is_empty()
            && self.namespaces.is_empty()
            && self.files.is_empty()
            && self.ports.is_empty()
    }
}

/// Processes that run the binary under test and hold `state` in their arguments, environment or open files. They come
/// in the order of their ids, so the supervisor (pid 1 of its namespace) before its children.
pub(crate) fn processes_with(state: &Path) -> BTreeSet<i32> {
    let needle = state.as_os_str().as_encoded_bytes();
    let holds = |pid: i32, file: &str| {
        fs::read(format!("/proc/{pid}/{file}"))
            .is_ok_and(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
    };
    let ours = |pid: &i32| {
        fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.starts_with(BINARY))
            && (holds(*pid, "cmdline") || holds(*pid, "environ"))
    };
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(ours).collect()
}

/// The supervisor: the process that is pid 1 of a PID namespace of its own.
pub(crate) fn supervisor(state: &Path) -> Option<i32> {
    processes_with(state).into_iter().find(|pid| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
        let ids: Vec<&str> = ids.split_whitespace().collect();
        ids.len() > 1 && ids.last() == Some(&"1")
    })
}

/// SIGKILL to every process that [`processes_with`] finds.
pub(crate) fn kill_all_with(state: &Path) {
    for pid in processes_with(state) {
        signal(pid, nix::sys::signal::Signal::SIGKILL);
    }
}

/// Lets SIGINT and SIGHUP end a command, as at a terminal. A runner that was itself started in the background of a
/// shell, or by nohup, has them ignored, and its children would inherit that.
pub(crate) fn interruptible(command: &mut std::process::Command) {
    at_signals(command, nix::sys::signal::SigHandler::SigDfl);
}

/// Lets a command ignore SIGINT and SIGHUP, as one that nohup starts in the background of a shell.
pub(crate) fn in_the_background(command: &mut std::process::Command) {
    at_signals(command, nix::sys::signal::SigHandler::SigIgn);
}

fn at_signals(command: &mut std::process::Command, action: nix::sys::signal::SigHandler) {
    use nix::sys::signal::{Signal, signal};
    use std::os::unix::process::CommandExt as _;
    let set = move || {
        for kind in [Signal::SIGINT, Signal::SIGHUP] {
            // SAFETY: neither disposition runs code of this process.
            unsafe { signal(kind, action) }?;
        }
        Ok(())
    };
    // SAFETY: the closure makes two system calls.
    unsafe { command.pre_exec(set) };
}

/// Sends a signal; a process that is gone is no failure.
pub(crate) fn signal(pid: i32, signal: nix::sys::signal::Signal) {
    let _gone = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
}

fn collect(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            collect(&path, found);
        } else if kind.is_socket() || path.ends_with("context.toml") {
            found.insert(path);
        }
    }
}
