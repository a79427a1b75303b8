//! What a running simulation holds of the machine, by the kernel's own numbers, and what of that is there later. It
//! asks for what the simulation had, so what others do on the machine meanwhile changes nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Everything that the processes in one PID namespace hold.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Process ids, as this machine counts them, each with the time of its start: an id may be given anew.
    processes: BTreeSet<(i32, String)>,
    /// Namespaces of any kind but the test's own, as `/proc/PID/ns` names them.
    pub(crate) namespaces: BTreeSet<PathBuf>,
    /// Inode numbers of sockets that this machine's own network lists: TCP, UDP, Unix.
    pub(crate) sockets: BTreeSet<String>,
    /// Files that are open for writing, other than devices, pipes and what the kernel makes up.
    pub(crate) written: BTreeSet<PathBuf>,
}

impl Held {
    /// Looks at everything in the PID namespace of `supervisor`, also at what a user started in it.
    pub(crate) fn by(supervisor: i32) -> Self {
        let mine = namespaces_of(i32::try_from(std::process::id()).unwrap());
        let inside = namespace(supervisor, "pid").unwrap();
        let listed = sockets_of_this_machine();
        let mut held = Self::default();
        for pid in pids().filter(|pid| namespace(*pid, "pid").as_ref() == Some(&inside)) {
            held.processes.extend(started(pid).map(|started| (pid, started)));
            held.namespaces.extend(namespaces_of(pid).difference(&mine).cloned());
            for (file, writes) in open_files(pid) {
                let name = file.to_string_lossy();
                match name.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')) {
                    Some(inode) => held.sockets.extend(listed.get(inode).cloned()),
                    None if writes && is_on_disk(&file) => held.written.extend([file]),
                    None => {}
                }
            }
        }
        held
    }

    /// How many processes there were.
    pub(crate) fn count(&self) -> usize {
        self.processes.len()
    }

    /// What of it is still there, in words; empty when nothing is.
    pub(crate) fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for pid in pids() {
            // Of a dead process there is only the number, until its parent asks how it ended.
            let Some(started) = started(pid) else { continue };
            if self.processes.contains(&(pid, started)) {
                left.push(format!("process {pid}"));
            }
            for kept in namespaces_of(pid).intersection(&self.namespaces) {
                left.push(format!("process {pid} is in {}", kept.display()));
            }
        }
        let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        for kept in self.namespaces.iter().filter(|kept| mounts.contains(&*kept.to_string_lossy())) {
            left.push(format!("{} is mounted", kept.display()));
        }
        let sockets = sockets_of_this_machine();
        left.extend(self.sockets.intersection(&sockets).map(|inode| format!("socket {inode}")));
        left
    }
}

/// Every process of the machine.
fn pids() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// When a process started, in ticks; `None` when it is gone, or dead and not yet waited for.
fn started(pid: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name, in brackets, may hold spaces.
    let mut rest = stat.rsplit_once(") ")?.1.split(' ');
    let state = rest.next()?;
    if state == "Z" { None } else { rest.nth(18).map(str::to_owned) }
}

fn namespace(pid: i32, kind: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok()
}

/// The namespaces of a process, and those that it keeps open.
fn namespaces_of(pid: i32) -> BTreeSet<PathBuf> {
    let folder = fs::read_dir(format!("/proc/{pid}/ns")).into_iter().flatten().flatten();
    let inside = folder.filter_map(|entry| fs::read_link(entry.path()).ok());
    let open = open_files(pid).into_iter().map(|(file, _)| file);
    let is_namespace = |file: &PathBuf| {
        ["net:[", "pid:[", "mnt:[", "user:["].iter().any(|kind| file.to_string_lossy().starts_with(kind))
    };
    inside.chain(open.filter(is_namespace)).collect()
}

/// What a process has open, and whether for writing.
fn open_files(pid: i32) -> Vec<(PathBuf, bool)> {
    let folder = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let open = |entry: fs::DirEntry| {
        let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{}", entry.file_name().to_str()?)).ok()?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
        let access = i32::from_str_radix(flags.trim(), 8).ok()? & nix::libc::O_ACCMODE;
        Some((fs::read_link(entry.path()).ok()?, access != nix::libc::O_RDONLY))
    };
    folder.filter_map(open).collect()
}

fn is_on_disk(file: &Path) -> bool {
    file.is_absolute()
        && !["/dev", "/proc", "/sys", "/memfd:"].iter().any(|made_up| file.starts_with(made_up))
}

/// Inode numbers of the sockets in this process's own network namespace.
fn sockets_of_this_machine() -> BTreeSet<String> {
    // The column of the inode, counted from 0, and the same in a Unix socket's shorter line.
    let tables = [("tcp", 9), ("tcp6", 9), ("udp", 9), ("udp6", 9), ("unix", 6)];
    let mut inodes = BTreeSet::new();
    for (table, column) in tables {
        let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        let lines = text.lines().skip(1);
        inodes.extend(lines.filter_map(|line| line.split_whitespace().nth(column).map(str::to_owned)));
    }
    // A socket without an owner any more has none.
    inodes.remove("0");
    inodes
}
