//! Whether this kernel has netem: tried, never inferred. A kernel's version, its configuration and the list of its
//! modules say less than one netem that was made.

use std::thread;

use super::qdisc::{Netem, NetemLoss};
use super::table::{normal, table};
use crate::error::LabError;
use crate::lab::{netlink, netns};
use crate::netlink::Socket;

/// Makes a netem on the loopback of a network namespace of its own, which then ends. Needs the privileges that
/// [`crate::lab::enter`] gives.
///
/// # Errors
/// No netem, or no namespace: what was tried, what the kernel said, and the ways out.
pub(crate) fn probe() -> Result<(), LabError> {
    let trying = thread::scope(|scope| scope.spawn(try_netem).join());
    let tried = trying.unwrap_or_else(|_| Err("the thread that tries netem panicked".to_string()));
    tried.map_err(LabError::NoNetem)
}

fn try_netem() -> Result<(), String> {
    let step = |what: &'static str| move |error: std::io::Error| format!("{what}: {error}");
    netns::make(false).map_err(step("make a network namespace"))?;
    let interface = netlink::index("lo").map_err(step("find the loopback"))?;
    let netem = Netem {
        delay_ns: 1_000_000,
        jitter_ns: 1_000,
        table: table(normal),
        loss: NetemLoss::Share(0.0),
        duplicate: 0.0,
        rate: 1 << 40,
        limit: 1_000,
        seed: 1,
    };
    let mut socket = Socket::open().map_err(step("open a netlink socket"))?;
    netem.add(&mut socket, interface).map_err(step("add a netem to the loopback of a namespace"))
}
