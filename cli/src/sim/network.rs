//! The network under a simulation: a lab of namespaces, or relays. The one place that knows which.

use std::process::Command;

use farquorum_netem::forward::Forwarder;
use farquorum_netem::lab::Lab;
use farquorum_netem::relay::{Relays, Reserved};
use farquorum_netem::selftest::{self, SelfTest};
use farquorum_netem::wan::WanControl;

use super::guard::{self, Lifeline};

/// What joins the hosts.
pub(crate) enum Network {
    /// A network namespace for each host.
    Lab {
        /// The namespaces and the WAN between them.
        lab: Lab,
        /// Ways in from outside; dropped, they close.
        _forwarder: Forwarder,
    },
    /// Ports of 127.0.0.1.
    Relays {
        /// Between them.
        relays: Relays,
        /// Kept for the services, also while they do not run.
        _reserved: Vec<Reserved>,
        /// Tells when the guard has ended, which would end the rest after this process.
        guarded: Lifeline,
    },
}

impl Network {
    /// The handle that changes and reads links.
    pub(crate) fn control(&self) -> WanControl {
        match self {
            Self::Lab { lab, .. } => lab.control(),
            Self::Relays { relays, .. } => relays.control(),
        }
    }

    /// One line: which backend, and why.
    pub(crate) fn backend(&self) -> &str {
        match self {
            Self::Lab { lab, .. } => lab.backend(),
            Self::Relays { relays, .. } => relays.backend(),
        }
    }

    /// Makes a process of the product start on its host. Over relays its configuration alone does that.
    pub(crate) fn place(&self, host: &str, command: &mut Command) -> Result<(), String> {
        match self {
            Self::Lab { lab, .. } => lab.place(host, command).map_err(|error| error.to_string()),
            Self::Relays { .. } => Ok(()),
        }
    }

    /// [`Network::place`] for a program that knows nothing of the product: it needs the host's own network.
    pub(crate) fn place_program(&self, host: &str, command: &mut Command) -> Result<(), String> {
        match self {
            Self::Lab { .. } => self.place(host, command),
            Self::Relays { .. } => Err(format!(
                "sim exec is not possible over relays: {host} has no network of its own, only ports of 127.0.0.1\n\
                 ways out: dial the addresses that `farquorum sim status` shows, which go through the relays; or start \
                 the simulation with namespaces, farquorum sim up --backend user, which says what it needs"
            )),
        }
    }

    /// Measures every directed pair, and looks for ways around the WAN.
    pub(crate) fn test(&self) -> Result<SelfTest, String> {
        let test = match self {
            Self::Lab { lab, .. } => selftest::run(lab),
            Self::Relays { relays, .. } => selftest::run_relayed(relays),
        };
        test.map_err(|error| error.to_string())
    }

    /// Waits until the network can no longer be kept up; `None` when that does not happen.
    pub(crate) fn await_end(&self) -> Option<()> {
        match self {
            Self::Lab { .. } => None,
            Self::Relays { guarded, .. } => {
                guarded.await_end();
                Some(())
            }
        }
    }

    /// Ends what the end of this process would not end.
    pub(crate) fn end_rest(&self) {
        match self {
            // The kernel does it, with the PID namespace.
            Self::Lab { .. } => {}
            Self::Relays { .. } => guard::end_descendants(),
        }
    }
}
