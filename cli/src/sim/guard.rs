//! Ending everything where there is no PID namespace whose end would do it: a guard, the supervisor's parent, waits
//! for its end and then ends what is left of its descendants.
//!
//! Both are child subreapers (prctl(2)): whatever a descendant does, also setsid and a double fork, its orphans come to
//! the supervisor while it lives and to the guard afterwards. The other way round, the supervisor notices the guard's
//! end by a pipe and stops everything itself. Limit: a SIGKILL to both at the same moment leaves the processes of hosts
//! running; and what holds the right to change its own parentage is not held.

use std::fs;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

/// Pause between two looks for descendants that are left: a killed process needs about as long.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Who a process is after [`enter`].
pub(crate) enum Role {
    /// The process that called.
    Caller,
    /// The guard.
    Guard(Guard),
    /// The supervisor.
    Supervisor(Guarded),
}

/// What the guard needs.
pub(crate) struct Guard {
    supervisor: Pid,
    hidden: PathBuf,
    /// Closes with the guard.
    _hold: OwnedFd,
}

/// What the supervisor has from its guard.
pub(crate) struct Guarded {
    /// The guard, which ends when everything else has ended.
    pub(crate) guard: Pid,
    lifeline: Lifeline,
    /// The control socket, under a name of its own until [`Guarded::publish`].
    listener: UnixListener,
    hidden: PathBuf,
}

/// Tells of the guard's end.
#[derive(Clone)]
pub(crate) struct Lifeline(Arc<fs::File>);

/// Forks twice: a guard, and below it the supervisor. The process must have one thread.
pub(crate) fn enter(socket: &Path) -> Result<Role, String> {
    // SAFETY: one thread, as the caller says, so the child may go on as usual.
    if let ForkResult::Parent { .. } = unsafe { fork() }.map_err(|error| format!("fork: {error}"))? {
        return Ok(Role::Caller);
    }
    let become_subreaper =
        || set_child_subreaper(true).map_err(|error| format!("become a child subreaper: {error}"));
    become_subreaper()?;
    // Whoever connects gets the pid of the process that made the socket listen (unix(7), SO_PEERCRED): the guard, since
    // its end is the end of everything. A name that is no longer than the socket's own fits wherever that fits.
    let guard = nix::unistd::getpid();
    let hidden = socket.with_file_name(format!("c.{guard}"));
    let listener = UnixListener::bind(&hidden).map_err(|error| format!("{}: {error}", hidden.display()))?;
    let (lifeline, hold) =
        nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(|error| format!("make a pipe: {error}"))?;
    // SAFETY: as above.
    match unsafe { fork() }.map_err(|error| format!("fork: {error}"))? {
        ForkResult::Parent { child } => Ok(Role::Guard(Guard { supervisor: child, hidden, _hold: hold })),
        ForkResult::Child => {
            become_subreaper()?;
            let lifeline = Lifeline(Arc::new(lifeline.into()));
            Ok(Role::Supervisor(Guarded { guard, lifeline, listener, hidden }))
        }
    }
}

impl Guarded {
    /// Tells of the guard's end.
    pub(crate) fn lifeline(&self) -> Lifeline {
        self.lifeline.clone()
    }

    /// Gives the control socket its name, from which moment on it is found.
    pub(crate) fn publish(self, socket: &Path) -> Result<UnixListener, String> {
        fs::rename(&self.hidden, socket).map_err(|error| format!("{}: {error}", socket.display()))?;
        Ok(self.listener)
    }
}

impl Lifeline {
    /// Waits for the guard's end.
    pub(crate) fn await_end(&self) {
        // Nobody writes: it ends, or it is broken, which is as good as ended.
        let _ = self.0.as_ref().read(&mut [0]);
    }
}

impl Guard {
    /// Waits for the supervisor's end, ends the rest, and ends.
    pub(crate) fn watch(self) -> ! {
        loop {
            match waitpid(self.supervisor, None) {
                Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => break,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => break,
            }
        }
        end_descendants();
        // There only when the supervisor ended before it was ready.
        let _ = fs::remove_file(&self.hidden);
        std::process::exit(0)
    }
}

/// Kills every descendant of this process, a child subreaper, and returns when none is left: the children first, then
/// theirs, which come to this process by that.
pub(crate) fn end_descendants() {
    loop {
        let children = children();
        if children.is_empty() {
            return;
        }
        for child in children {
            let _gone = kill(child, Signal::SIGKILL);
        }
        // Somebody else may reap as well; then there is nothing to reap here.
        while matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(ended) if ended != WaitStatus::StillAlive)
        {
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// This process's children, also those that were others' before.
fn children() -> Vec<Pid> {
    let me = nix::unistd::getpid();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| parent(*pid) == Some(me.as_raw())).map(Pid::from_raw).collect()
}

/// The parent of a process, when it is there.
fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name, in brackets, may hold spaces and brackets. Behind it: state, parent.
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}
