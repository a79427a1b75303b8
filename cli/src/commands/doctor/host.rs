//! The clock, randomness, and what the system lets a process have.

use farquorum_config::Config;
use nix::sys::resource::{Resource, getrlimit};

use super::report::{Check, Group};

/// Files of a process beside its connections: RocksDB's tables, logs, pipes.
const FILES_BESIDE: u64 = 512;
/// Error of the clock that is worth a warning, in microseconds: certificates are valid five minutes early, so seconds
/// are harmless; half a second says that nobody steers it.
const CLOCK_ERROR_US: i64 = 500_000;

/// Looks.
pub(super) fn look(config: &Config, checks: &mut Vec<Check>) {
    let mut group = Group::new("host", checks);
    clock(&mut group);
    match randomness() {
        Ok(()) => group.ok("the kernel's random numbers are ready"),
        Err(error) => group.failed(
            format!("the kernel has no random numbers yet: {error}"),
            "wait, or give the machine a virtio-rng device: keys and TLS need them",
        ),
    }
    files(config, &mut group);
}

/// What the kernel knows of its own clock.
struct ClockState {
    synchronised: bool,
    error_us: i64,
}

fn clock(group: &mut Group<'_>) {
    let hint =
        "run one of chrony, systemd-timesyncd, ntpd: an expired or not yet valid certificate stops a host";
    match clock_state() {
        Ok(clock) if !clock.synchronised => {
            group.warning("nothing keeps the clock right (the kernel says: not synchronised)", hint);
        }
        Ok(clock) if clock.error_us > CLOCK_ERROR_US => {
            group.warning(format!("the clock may be off by {} ms", clock.error_us / 1000), hint);
        }
        Ok(clock) => group.ok(format!("the clock is kept right; largest error {} ms", clock.error_us / 1000)),
        Err(error) => group.skipped(format!("the clock's state is not to be had: {error}"), None),
    }
}

fn clock_state() -> nix::Result<ClockState> {
    // SAFETY: a timex is plain data, all zeroes are one of its values, and modes 0 asks without changing anything.
    let mut asked: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the call writes into the timex that it is given and nowhere else.
    let state = nix::errno::Errno::result(unsafe { libc::adjtimex(&mut asked) })?;
    Ok(ClockState { synchronised: state != libc::TIME_ERROR, error_us: asked.maxerror })
}

fn randomness() -> nix::Result<()> {
    let mut byte = [0_u8; 1];
    // SAFETY: the buffer is valid for its whole length, which is what the call is told.
    let got = unsafe { libc::getrandom(byte.as_mut_ptr().cast(), byte.len(), libc::GRND_NONBLOCK) };
    nix::errno::Errno::result(got).map(|_| ())
}

fn files(config: &Config, group: &mut Group<'_>) {
    let needed = config.limits.connections_max.saturating_mul(2).saturating_add(FILES_BESIDE);
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((_, hard)) if hard < needed => group.warning(
            format!("a process may open {hard} files; {needed} would be enough for limits.connections_max"),
            "raise LimitNOFILE of the unit (ulimit -Hn), or lower limits.connections_max",
        ),
        Ok((_, hard)) => group.ok(format!("a process may open {hard} files")),
        Err(error) => group.skipped(format!("the limit of open files is not to be had: {error}"), None),
    }
}
