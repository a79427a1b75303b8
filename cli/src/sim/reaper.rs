//! Pid 1 inherits every orphan of its namespace and must reap them all; the rest of the supervisor only wants to
//! know how *its* children ended. So one thread reaps, and everybody else asks here.
//!
//! `std::process::Child::wait` is never used: it would race with this thread.

use std::collections::HashMap;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

/// How a process ended: its exit code, or 128 + the signal that ended it.
pub(crate) type Ended = i32;

#[derive(Default)]
struct Known {
    /// `None` while it runs. Invariant: only processes started by [`Reaper::spawn`] are in here.
    ended: HashMap<i32, Option<Ended>>,
}

/// Starts processes and remembers how they ended.
#[derive(Clone, Default)]
pub(crate) struct Reaper {
    shared: Arc<(Mutex<Known>, Condvar)>,
}

impl Reaper {
    /// Starts the reaping thread.
    pub(crate) fn start() -> std::io::Result<Self> {
        let reaper = Self::default();
        let worker = reaper.clone();
        std::thread::Builder::new().name("reaper".into()).spawn(move || worker.reap_for_ever())?;
        Ok(reaper)
    }

    /// Starts `command`. Nothing is reaped meanwhile: a program that cannot be executed is waited for inside `spawn`.
    pub(crate) fn spawn(&self, command: &mut Command) -> std::io::Result<Pid> {
        let mut known = self.lock();
        let child = command.spawn()?;
        let pid = i32::try_from(child.id()).map_err(std::io::Error::other)?;
        known.ended.insert(pid, None);
        self.shared.1.notify_all();
        Ok(Pid::from_raw(pid))
    }

    /// How a process ended; `None` while it runs.
    pub(crate) fn ended(&self, pid: Pid) -> Option<Ended> {
        self.lock().ended.get(&pid.as_raw()).copied().flatten()
    }

    /// Waits until a process has ended, at most `limit`; `None` also when it was forgotten. Several may wait.
    pub(crate) fn wait(&self, pid: Pid, limit: Option<Duration>) -> Option<Ended> {
        let until = limit.map(|limit| Instant::now() + limit);
        let mut known = self.lock();
        loop {
            if let Some(ended) = known.ended.get(&pid.as_raw()).copied()? {
                return Some(ended);
            }
            known = match until {
                None => self.shared.1.wait(known).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.checked_duration_since(Instant::now())?;
                    self.shared.1.wait_timeout(known, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Forgets a process that has ended: its id may be another's from then on.
    pub(crate) fn forget(&self, pid: Pid) {
        self.lock().ended.remove(&pid.as_raw());
    }

    /// A signal to a process's whole group while the process has not ended. Nothing is reaped meanwhile, so the id is
    /// still its own; what it left behind when it ended is not touched.
    pub(crate) fn signal_group(&self, pid: Pid, signal: Signal) {
        let known = self.lock();
        if known.ended.get(&pid.as_raw()) == Some(&None) {
            let _gone = killpg(pid, signal);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reap_for_ever(&self) {
        loop {
            // Look without reaping, then reap under the lock, so that `spawn` has recorded the pid before.
            match waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
                Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, _, _)) => self.reap(pid),
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(_) => self.wait_for_a_child(),
            }
        }
    }

    fn reap(&self, pid: Pid) {
        let mut known = self.lock();
        let ended = match waitpid(pid, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => code,
            Ok(WaitStatus::Signaled(_, signal, _)) => 128 + signal_number(signal),
            _ => return,
        };
        if let Some(entry) = known.ended.get_mut(&pid.as_raw()) {
            *entry = Some(ended);
            self.shared.1.notify_all();
        }
    }

    /// There is no child at the moment (ECHILD). Orphans cannot come without one of ours having been started.
    fn wait_for_a_child(&self) {
        let known = self.lock();
        if !known.ended.values().any(Option::is_none) {
            let _unused = self.shared.1.wait_timeout(known, Duration::from_secs(1));
        }
    }
}

/// The number of a signal, as a shell adds it to 128.
#[allow(clippy::as_conversions, reason = "nix gives signals as a C enum; there is no From")]
fn signal_number(signal: nix::sys::signal::Signal) -> i32 {
    signal as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test: a second reaper in this process would take the first one's children.
    #[test]
    fn every_end_is_told() {
        let reaper = Reaper::start().unwrap();
        for (script, expected) in [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)] {
            let pid = reaper.spawn(Command::new("sh").args(["-c", script])).unwrap();
            assert_eq!(reaper.wait(pid, Some(Duration::from_secs(20))), Some(expected), "{script}");
        }
        assert!(reaper.spawn(&mut Command::new("/does/not/exist")).is_err());
        let pid = reaper.spawn(Command::new("sleep").arg("60")).unwrap();
        assert_eq!(reaper.wait(pid, Some(Duration::from_millis(1))), None);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        assert_eq!(reaper.wait(pid, Some(Duration::from_secs(20))), Some(137));
        // A second one who waits hears it too, until it is forgotten.
        assert_eq!(reaper.wait(pid, None), Some(137));
        reaper.forget(pid);
        assert_eq!(reaper.wait(pid, None), None);
    }
}
