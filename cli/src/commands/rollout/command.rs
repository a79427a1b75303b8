//! Runs the command of one host. Its output goes to the terminal line by line, each with the host's name before it. It
//! has a session of its own: Ctrl-C does not reach it (the rollout decides), and nothing can ask on the terminal for a
//! password, which would hold the rollout.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::output::say_aside;

/// Longest piece of a line that is printed at once: what a program prints without line feeds must not pile up.
const LINE_BYTES_MAX: usize = 4_096;

/// How long the output is read after the end: something that the command left behind may keep it open for ever.
const OUTPUT_AFTER_END: Duration = Duration::from_secs(1);

/// Between SIGTERM and SIGKILL.
const TERMINATE_TIME: Duration = Duration::from_secs(5);

/// Runs it; `Err` says how it failed. Killed after `limit`, and when `kill` is cancelled.
pub(super) async fn run(
    host: &str,
    argv: &[String],
    limit: Duration,
    kill: &CancellationToken,
) -> Result<(), String> {
    let [program, arguments @ ..] = argv else { return Err("there is no command".to_owned()) };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let session = || nix::unistd::setsid().map(drop).map_err(std::io::Error::from);
    // SAFETY: the closure runs between fork and exec and makes one system call.
    unsafe { command.pre_exec(session) };
    let mut child = command.spawn().map_err(|error| format!("cannot start {program:?}: {error}"))?;
    let (host, out, err) = (host.to_owned(), child.stdout.take(), child.stderr.take());
    let mut printing = tokio::spawn(async move { tokio::join!(print(&host, out), print(&host, err)) });
    let result = tokio::select! {
        status = child.wait() => status.map_err(|error| error.to_string()).and_then(judge),
        () = tokio::time::sleep(limit) => {
            end(&mut child).await;
            Err(format!("its command took longer than {} s and was killed", limit.as_secs()))
        }
        () = kill.cancelled() => {
            end(&mut child).await;
            Err("its command was killed by the second interrupt".to_owned())
        }
    };
    let _left_open = tokio::time::timeout(OUTPUT_AFTER_END, &mut printing).await;
    printing.abort();
    result
}

fn judge(status: ExitStatus) -> Result<(), String> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(format!("its command ended with exit status {code}")),
        (None, signal) => Err(format!("its command was ended by signal {}", signal.unwrap_or_default())),
    }
}

/// Asks the command and what it started to end, and kills what is left. A session's leader leads its group too.
async fn end(child: &mut Child) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let send = |signal| group.map(|group| killpg(group, signal));
    // Fails when all its processes have ended, which is what we want; so does the next.
    let _gone = send(Signal::SIGTERM);
    let _status = tokio::time::timeout(TERMINATE_TIME, child.wait()).await;
    let _gone = send(Signal::SIGKILL);
    let _status = child.wait().await;
}

/// Prints a stream to its end.
async fn print(host: &str, stream: Option<impl AsyncRead + Unpin>) {
    let Some(mut stream) = stream else { return };
    let mut line = Vec::new();
    let mut buffer = [0; LINE_BYTES_MAX];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        for byte in buffer.get(..count).unwrap_or_default() {
            if matches!(byte, b'\n' | b'\r') || line.len() >= LINE_BYTES_MAX {
                say(host, &mut line);
            }
            if !matches!(byte, b'\n' | b'\r') {
                line.push(*byte);
            }
        }
    }
    say(host, &mut line);
}

/// One line, without what would move the cursor or change colours.
fn say(host: &str, line: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(line);
    let text: String = text.chars().filter(|char| *char == '\t' || !char.is_control()).collect();
    if !text.is_empty() {
        say_aside(&format!("{host} | {text}"));
    }
    line.clear();
}
