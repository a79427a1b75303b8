//! `command`: a subprocess.
//!
//! It runs in a process group of its own, and the whole group is killed when the attempt ends in any way: done, failed,
//! timed out, stopped. (A process that leaves the group by `setsid` is out of reach.) It gets no variable of the
//! worker's environment but a plain PATH. Status 0 completes the task; every other end fails the attempt.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::{Context, TaskError, from_json, to_json};

/// Bytes that are kept of each output stream; the rest is read and counted. Two of them fit well into a result.
const OUTPUT_BYTES_MAX: usize = 64 << 10;
/// The only variable that is set without being asked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What to run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandPayload {
    /// Program and arguments; no shell in between.
    pub argv: Vec<String>,
    /// Text for its standard input; none: empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
    /// Variables, besides PATH.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Folder to start in; none: the worker's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<PathBuf>,
    /// Limits of each of its processes.
    #[serde(default)]
    pub limits: Limits,
}

/// Limits of each process; the kernel enforces them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Address space in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Processor time in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<u64>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandResult {
    /// Exit status; 0 in the result of a completed task.
    pub status: i32,
    /// Standard output, at most 64 KiB; bytes that are no UTF-8 are replaced.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
    /// Bytes of both that were left out.
    pub bytes_left_out: u64,
}

pub(super) async fn run(_: Context, payload: Vec<u8>) -> Result<Vec<u8>, TaskError> {
    let work: CommandPayload = from_json("command", &payload)?;
    let mut child = spawn(&work)?;
    let group = Group::of(&child);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let text = work.stdin.unwrap_or_default();
    let feed = async move {
        if let Some(mut stdin) = stdin {
            // A program need not read its input: a closed pipe is no failure.
            let _ = stdin.write_all(text.as_bytes()).await;
        }
    };
    let end = async move {
        let status = child.wait().await;
        // What it left behind would keep the pipes open.
        drop(group);
        status
    };
    let (status, (), stdout, stderr) = tokio::join!(end, feed, capture(stdout), capture(stderr));
    let lost = |e: io::Error| TaskError::transient(format!("command: {e}"));
    finish(status.map_err(lost)?, stdout.map_err(lost)?, stderr.map_err(lost)?)
}

/// Whether this host has anything to run: one executable file in a folder of [`PATH`]. An image with the worker alone
/// has none, and every such task would fail there.
pub(super) fn has_programs() -> bool {
    PATH.split(':').any(|folder| holds_program(Path::new(folder)))
}

fn holds_program(folder: &Path) -> bool {
    let Ok(mut entries) = folder.read_dir() else { return false };
    entries.any(|entry| {
        // Through links, which is what most entries are on some systems.
        let meta = entry.and_then(|entry| entry.path().metadata());
        meta.is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    })
}

fn spawn(work: &CommandPayload) -> Result<Child, TaskError> {
    let [program, arguments @ ..] = work.argv.as_slice() else {
        return Err(TaskError::fatal("command: argv is empty; it must hold at least the program"));
    };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", PATH).envs(&work.env);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    if let Some(cwd) = &work.cwd {
        command.current_dir(cwd);
    }
    let limits = work.limits;
    // SAFETY: the closure runs between fork and exec and only calls setrlimit, which is async-signal-safe; it
    // captures plain numbers and allocates nothing.
    unsafe {
        command.pre_exec(move || limits.apply());
    }
    command.spawn().map_err(|e| TaskError::fatal(format!("command: cannot start {program:?}: {e}")))
}

impl Limits {
    fn apply(self) -> io::Result<()> {
        for (resource, limit) in
            [(Resource::RLIMIT_AS, self.memory_bytes), (Resource::RLIMIT_CPU, self.cpu_seconds)]
        {
            if let Some(limit) = limit {
                setrlimit(resource, limit, limit)?;
            }
        }
        Ok(())
    }
}

/// A process group; killed when dropped.
struct Group(Option<Pid>);

impl Group {
    /// The group that the child leads.
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Fails when all its processes have ended, which is what we want.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

/// Reads to the end, keeps the front, counts the rest.
async fn capture(stream: Option<impl AsyncRead + Unpin>) -> io::Result<(Vec<u8>, u64)> {
    let (mut kept, mut left_out) = (Vec::new(), 0u64);
    let Some(mut stream) = stream else {
        return Ok((kept, left_out));
    };
    let mut buffer = vec![0; 8 << 10];
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok((kept, left_out));
        }
        let room = OUTPUT_BYTES_MAX.saturating_sub(kept.len()).min(read);
        kept.extend(buffer.iter().take(room));
        left_out = left_out.saturating_add(u64::try_from(read.saturating_sub(room)).unwrap_or(u64::MAX));
    }
}

fn finish(status: ExitStatus, stdout: (Vec<u8>, u64), stderr: (Vec<u8>, u64)) -> Result<Vec<u8>, TaskError> {
    let stderr_text = String::from_utf8_lossy(&stderr.0).into_owned();
    if !status.success() {
        let tail: String = stderr_text.trim_end().chars().rev().take(500).collect();
        let tail: String = tail.chars().rev().collect();
        return Err(TaskError::transient(format!("command: {status}; end of its standard error: {tail:?}")));
    }
    to_json(&CommandResult {
        status: status.code().unwrap_or_default(),
        stdout: String::from_utf8_lossy(&stdout.0).into_owned(),
        stderr: stderr_text,
        bytes_left_out: stdout.1.saturating_add(stderr.1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_executable_file_is_a_program() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!holds_program(&folder.path().join("missing")));
        assert!(!holds_program(folder.path()), "an empty folder");
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(!holds_program(folder.path()), "a folder, and a file that is not executable");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        assert!(holds_program(folder.path()));
    }
}
