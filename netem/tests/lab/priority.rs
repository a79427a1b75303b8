//! How the WAN's thread is scheduled: what the lab says of it is what the kernel says.

use std::fs;
use std::io::Error;
use std::thread::spawn;

use crate::harness::lab;

/// Whether the caller may have real-time threads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    AsItIs,
    /// Of an ordinary user: in a namespace of its own nobody has the capability, and the limit is all that could allow it.
    Taken,
}

/// Real-time where it is allowed; where it is not, an ordinary thread, and the lab says why.
pub(crate) fn as_reported(right: Right) {
    if right == Right::Taken {
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the kernel reads one `rlimit`, which lives through the call.
        let done = unsafe { libc::setrlimit(libc::RLIMIT_RTPRIO, &raw const none) };
        assert_eq!(done, 0, "{}", Error::last_os_error());
    }
    let allowed = spawn(real_time_is_allowed).join().expect("no panic");
    assert!(right == Right::AsItIs || !allowed, "the right is still there");
    let lab = lab(None);
    // SAFETY: the call takes a number and gives one.
    let policy = unsafe { libc::sched_getscheduler(wan_thread()) };
    println!("    policy {policy}, real-time allowed: {allowed}");
    let words = lab.backend().rsplit("; ").next().expect("words");
    if allowed {
        assert_eq!((policy, words), (libc::SCHED_FIFO, "real-time thread"));
    } else {
        assert_eq!(policy, libc::SCHED_OTHER);
        assert!(
            words.starts_with("ordinary thread") && words.ends_with("(real-time not permitted)"),
            "{words}"
        );
    }
    lab.stop();
}

/// Tries it, on a thread that ends with it.
fn real_time_is_allowed() -> bool {
    let lowest = libc::sched_param { sched_priority: 1 };
    // SAFETY: the kernel reads one `sched_param`, which lives through the call; 0 is the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const lowest) == 0 }
}

/// The number of the thread that carries the packets.
fn wan_thread() -> libc::pid_t {
    let threads = fs::read_dir("/proc/self/task").expect("threads").flatten();
    let named =
        |path: &std::path::Path| fs::read_to_string(path.join("comm")).is_ok_and(|name| name == "wan\n");
    let found: Vec<_> = threads.filter(|thread| named(&thread.path())).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].file_name().to_string_lossy().parse().expect("a number")
}
