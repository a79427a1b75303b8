//! Scheduling of the WAN's thread: real-time where the user may, otherwise the shortest slice that an ordinary
//! thread can ask for. A late thread is a link that is longer than configured.

use std::io;

use nix::errno::Errno;
use nix::sys::prctl;

const SCHED_OTHER: u32 = 0;
const SCHED_FIFO: u32 = 1;
/// Lowest real-time priority: above every ordinary thread, below everybody else's real-time threads.
const FIFO_PRIORITY: u32 = 1;
/// Since Linux 6.12 an ordinary thread with a shorter slice preempts those with a longer one (3 ms) when it wakes.
const SLICE_NS: u64 = 100_000;

/// `struct sched_attr` of linux/sched/types.h, first version.
#[repr(C)]
#[derive(Default)]
struct SchedAttr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// Raises the calling thread as far as it may; says in words how far that was.
pub(crate) fn raise() -> String {
    // A thread's sleeps are rounded up by 50 us unless it asks otherwise.
    let slack = prctl::set_timerslack(1);
    if let Err(error) = slack {
        tracing::warn!(%error, "the timer slack stays at its default");
    }
    if set(&SchedAttr { policy: SCHED_FIFO, priority: FIFO_PRIORITY, ..SchedAttr::default() }).is_ok() {
        return "real-time thread".to_string();
    }
    match set(&SchedAttr { policy: SCHED_OTHER, runtime: SLICE_NS, ..SchedAttr::default() }) {
        Ok(()) => "ordinary thread with a short slice (real-time not permitted)".to_string(),
        Err(_) => "ordinary thread (real-time not permitted)".to_string(),
    }
}

fn set(attributes: &SchedAttr) -> io::Result<()> {
    let size = u32::try_from(size_of::<SchedAttr>()).map_err(io::Error::other)?;
    let attributes = SchedAttr { size, ..*attributes };
    // SAFETY: the kernel reads `size` bytes of the structure, which lives through the call; 0 is the calling thread.
    Errno::result(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) })?;
    Ok(())
}
