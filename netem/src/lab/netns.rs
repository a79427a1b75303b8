//! Network namespaces of hosts: making one, running code inside one.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::{Builder, JoinHandle};

use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::getegid;

use super::netlink;
use crate::error::{Doing, LabError};

/// Gives the calling thread a network namespace of its own and prepares it: loopback up, no address that the lab did
/// not give, and echo sockets allowed, so that nobody needs a privileged `ping`.
pub(crate) fn make(ipv6: bool) -> io::Result<OwnedFd> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    prepare(ipv6)?;
    current()
}

/// The calling thread's network namespace.
pub(crate) fn current() -> io::Result<OwnedFd> {
    Ok(File::open("/proc/thread-self/ns/net")?.into())
}

/// Whether the kernel has IPv6.
pub(crate) fn has_ipv6() -> bool {
    fs::exists("/proc/sys/net/ipv6/conf").unwrap_or(false)
}

/// Prepares the calling thread's (new) network namespace, with IPv6 or without.
pub(crate) fn prepare(ipv6: bool) -> io::Result<()> {
    if has_ipv6() {
        let off = if ipv6 { "0" } else { "1" };
        let settings = [
            ("all/disable_ipv6", off),
            ("default/disable_ipv6", off),
            // Interfaces to come get no address but the lab's: none of their own, none that a router advertises.
            ("default/addr_gen_mode", "1"),
            ("default/accept_ra", "0"),
        ];
        for (key, value) in settings {
            fs::write(format!("/proc/sys/net/ipv6/conf/{key}"), value)?;
        }
    }
    netlink::take_up_loopback()?;
    let groups = "/proc/sys/net/ipv4/ping_group_range";
    let group = getegid();
    // All groups where they are mapped (under root), else the only one that is.
    fs::write(groups, "0 2147483647").or_else(|_| fs::write(groups, format!("{group} {group}")))
}

/// Runs `f` in another network namespace and comes back, on the calling thread.
pub(crate) fn visit<T>(
    there: BorrowedFd<'_>,
    home: BorrowedFd<'_>,
    f: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    setns(there, CloneFlags::CLONE_NEWNET)?;
    let result = f();
    setns(home, CloneFlags::CLONE_NEWNET)?;
    result
}

/// Runs `f` on a new thread that has entered the network namespace: sockets that it makes belong to that host, and
/// go on belonging to it when they are handed out.
pub fn in_netns<T, F>(netns: BorrowedFd<'_>, f: F) -> Result<JoinHandle<Result<T, LabError>>, LabError>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let netns =
        netns.try_clone_to_owned().doing(|| "copy the descriptor of a network namespace".to_string())?;
    let body = move || {
        setns(netns.as_fd(), CloneFlags::CLONE_NEWNET)
            .doing(|| "enter the host's network namespace".to_string())?;
        drop(netns);
        Ok(f())
    };
    Builder::new().name("in-netns".to_string()).spawn(body).doing(|| "start a thread".to_string())
}
