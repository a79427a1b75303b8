//! Whether this process may make the lab: tried, not guessed. Ubuntu lets an ordinary user make a user namespace and
//! then refuses every capability in it, so only the whole way tells: namespaces, the map of users, /proc, a network
//! namespace with a device, an address and a route.

use std::fs;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use super::device::{DeviceKind, Port, PortSpec};
use super::enter::{Entered, exit_now, fork_inside};
use super::netns;
use crate::error::{Doing, LabError};

const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;

/// How this process can make the lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privilege {
    user_namespace: bool,
}

impl Privilege {
    /// Whether a user namespace comes first: true for an ordinary user, false for root.
    pub fn needs_user_namespace(&self) -> bool {
        self.user_namespace
    }
}

/// This process may not make the lab.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "no permission to make the lab: {step}\n\
     four ways out:\n  \
     1. run the same command with sudo\n  \
     2. allow user namespaces for this program: sudo install -m 644 netem/apparmor/farquorum /etc/apparmor.d/ && \
     sudo apparmor_parser -r /etc/apparmor.d/farquorum\n  \
     3. allow them for every program: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0 \
     (where that key does not exist: kernel.unprivileged_userns_clone=1, user.max_user_namespaces=10000)\n  \
     4. do without packets: farquorum sim up --backend relay (TCP relays delay bytes and need no permission)"
)]
pub struct NotPermitted {
    step: String,
}

impl NotPermitted {
    /// What was tried last, and the kernel's answer.
    pub fn step(&self) -> &str {
        &self.step
    }
}

/// Tries to make a small lab in a child process and takes it down again.
pub fn probe() -> Result<Privilege, NotPermitted> {
    if has_capabilities() {
        let privilege = Privilege { user_namespace: false };
        // A container may hold the capabilities and still refuse namespaces; then the user namespace gets its try.
        if attempt(&privilege).is_ok() {
            return Ok(privilege);
        }
    }
    let privilege = Privilege { user_namespace: true };
    attempt(&privilege).map_err(|step| NotPermitted { step })?;
    Ok(privilege)
}

fn has_capabilities() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    [CAP_NET_ADMIN, CAP_SYS_ADMIN].iter().all(|bit| bits >> bit & 1 == 1)
}

/// The whole way in a child process, which ends when it is done. The child reports by text, since only text can say
/// which step failed.
fn attempt(privilege: &Privilege) -> Result<(), String> {
    let (report, mut reporter) =
        UnixStream::pair().map_err(|error| format!("make a socket pair: {error}"))?;
    // SAFETY: the child makes system calls and ends with `_exit`; it takes no lock that another thread may hold
    // but the allocator's, which the C library keeps usable across a fork.
    match unsafe { fork() }.map_err(|error| format!("fork: {error}"))? {
        ForkResult::Child => {
            drop(report);
            let result = match fork_inside(privilege) {
                Ok(Entered::Supervisor) => try_device(),
                Ok(Entered::Parent { child }) => exit_now(i32::from(!ended_well(child))),
                Err(error) => Err(error),
            };
            match result {
                Ok(()) => exit_now(0),
                Err(error) => {
                    let _ = write!(reporter, "{error}");
                    exit_now(1)
                }
            }
        }
        ForkResult::Parent { child } => {
            drop(reporter);
            let text =
                io::read_to_string(report).map_err(|error| format!("read the probe's report: {error}"))?;
            match (ended_well(child), text.is_empty()) {
                (true, _) => Ok(()),
                (false, true) => Err("the probe ended without a word".to_string()),
                (false, false) => Err(text),
            }
        }
    }
}

fn ended_well(child: Pid) -> bool {
    matches!(waitpid(child, None), Ok(WaitStatus::Exited(_, 0)))
}

/// One host, without a WAN.
fn try_device() -> Result<(), LabError> {
    let (kind, why) = DeviceKind::choose();
    let hub = netns::current().doing(|| "open the network namespace".to_string())?;
    let host = netns::make(false).doing(|| "make a network namespace for a host".to_string())?;
    let address = Ipv4Addr::new(10, 255, 255, 1);
    let spec = PortSpec { number: 0, address, mtu: 1500, ipv6: false, host: host.as_fd(), hub: hub.as_fd() };
    Port::open(kind, &spec).doing(|| format!("make a network device ({why})"))?;
    Ok(())
}
