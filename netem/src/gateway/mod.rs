//! The gateway of containers: each cloud is a network of the engine, a host is on its own cloud's network alone, and
//! what it sends to another cloud goes through this process's network, which is on all of them.
//!
//! Packets are shaped by the kernel's netem where it really is there ([`crate::kernel`]), else by the WAN in user space
//! behind one TUN ([`crate::wan`]); the kernel routes on both sides of it ([`plan`] says how, and why nothing passes
//! unshaped). It needs CAP_NET_ADMIN in its network and, in user space, /dev/net/tun; forwarding is switched on by who
//! makes the network, since /proc/sys is not writable in a container.
//!
//! Limits: IPv4; a host's address is all that tells its cloud; in user space a packet's time to live falls by three.

mod apply;
mod plan;
pub mod trial;

use std::fs;

use farquorum_config::{Config, LabBackend};

use crate::error::{Doing, LabError};
use crate::kernel;
use crate::lab::{Inlet, LabSpec, OPERATOR, Port};
use crate::netlink::Socket;
use crate::wan::{Ports, Wan, WanControl};
use plan::{Plan, Side, Way};

/// The device into which packets go in user space.
const DEVICE: &str = "wan0";

/// What becomes of the link addresses of the gateway's interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkAddresses {
    /// They stay: the network outlives the gateway, and so do its rules.
    Kept,
    /// Others, made up at each start: the network is made anew for each gateway, and hosts that remember an earlier one must
    /// not find it before it shapes.
    Own,
}

/// A running gateway. Rules and last resorts stay in its network when it ends, so that nothing passes then. In user space
/// that holds however it ends, since the kernel deletes the TUN with its process. The pairs of the kernel's netem are
/// deleted by [`Gateway::stop`] only: after a kill they go on passing packets, shaped, until their network ends or the
/// next gateway replaces them.
#[derive(Debug)]
pub struct Gateway {
    wan: Wan,
    backend: String,
}

impl Gateway {
    /// Shapes what passes between the clouds of a configuration. Every link is shaped before the first packet.
    ///
    /// # Errors
    /// A configuration that names hosts instead of addresses; a network without an interface in each cloud, without
    /// forwarding, or with a filter of return paths; own link addresses that nobody would hear
    /// of (arp_notify is off); a step that the kernel refused; of `lab.backend = "kernel"` also:
    /// no netem, or a shape that netem does not have.
    pub fn start(config: &Config, links: LinkAddresses) -> Result<Gateway, LabError> {
        let mut spec = LabSpec::from_config(config)?;
        if let Some(host) = spec.hosts.iter_mut().find(|host| host.name == OPERATOR)
            && let Some(network) = spec.clouds.get(&host.cloud)
        {
            host.address = plan::operator(*network);
        }
        spec.check()?;
        check_forwarding()?;
        let mut socket = Socket::open().doing(|| "open a netlink socket".to_string())?;
        let addresses = apply::addresses(&mut socket).doing(|| "list the addresses here".to_string())?;
        let sides = plan::sides(&spec.clouds, &addresses).map_err(LabError::Spec)?;
        if links == LinkAddresses::Own {
            check_announced(&sides)?;
        }
        let plan = |way| {
            let mut own = rand::random;
            plan::plan(&sides, way, (links == LinkAddresses::Own).then_some(&mut own))
        };
        let user = |socket: &mut Socket, why: &str| user(&spec, plan(Way::Device(DEVICE)), socket, why);
        let in_kernel = |socket: &mut Socket, why| in_kernel(&spec, plan(Way::Pairs), socket, why);
        match spec.backend {
            LabBackend::User => user(&mut socket, "asked for"),
            LabBackend::Kernel => in_kernel(&mut socket, "asked for"),
            LabBackend::Auto => match in_kernel(&mut socket, "netem is there") {
                Err(LabError::NoNetem(why)) | Err(LabError::Spec(why)) => user(&mut socket, &why),
                started => started,
            },
            LabBackend::Relay => Err(LabError::Spec(
                "lab.backend = \"relay\" carries no packets, and a gateway passes packets; allowed here: auto, user, kernel"
                    .to_string(),
            )),
        }
    }

    /// The handle that changes and reads links.
    pub fn control(&self) -> WanControl {
        self.wan.control()
    }

    /// One line: what shapes, and why.
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// Stops the shaper and deletes its devices. Nothing passes any more.
    pub fn stop(self) {
        self.wan.stop();
    }
}

fn user(spec: &LabSpec, plan: Plan, socket: &mut Socket, why: &str) -> Result<Gateway, LabError> {
    put(socket, &plan.closed)?;
    let port = Port::tun(DEVICE, spec.mtu).doing(|| format!("make the TUN {DEVICE} (/dev/net/tun)"))?;
    let inlet = Inlet::of(&port, DEVICE).doing(|| format!("find the counters of {DEVICE}"))?;
    check_return_paths(DEVICE)?;
    let wan = Wan::start(spec, Ports::Shared(port), vec![inlet])?;
    put(socket, &plan.through)?;
    put(socket, &plan.open)?;
    let backend = format!("user space: {why}; {}", wan.words());
    Ok(Gateway { wan, backend })
}

fn in_kernel(spec: &LabSpec, plan: Plan, socket: &mut Socket, why: &str) -> Result<Gateway, LabError> {
    put(socket, &plan.closed)?;
    let wan = kernel::start_pairs(spec, plan::pair_names)?;
    for (from, to) in plan::pairs(spec.clouds.len()) {
        check_return_paths(&plan::pair_names(from, to).1)?;
    }
    put(socket, &plan.through)?;
    put(socket, &plan.open)?;
    let backend = format!("the kernel's netem: {why}; {}", wan.words());
    Ok(Gateway { wan, backend })
}

fn put(socket: &mut Socket, steps: &[plan::Step]) -> Result<(), LabError> {
    apply::apply(socket, steps).map_err(|(doing, source)| LabError::Os { doing, source })
}

/// Forwarding must be on: without it nothing passes, and the cluster would look partitioned.
fn check_forwarding() -> Result<(), LabError> {
    let file = "/proc/sys/net/ipv4/ip_forward";
    let value = fs::read_to_string(file).doing(|| format!("read {file}"))?;
    if value.trim() == "1" {
        return Ok(());
    }
    Err(LabError::Spec("net.ipv4.ip_forward is off in this network; set the sysctl to 1".to_string()))
}

/// Hosts that look for a new link address only when the old one is dead would be cut off for half a minute.
fn check_announced(sides: &[Side]) -> Result<(), LabError> {
    for side in sides {
        let notify = |name: &str| {
            let file = format!("/proc/sys/net/ipv4/conf/{name}/arp_notify");
            fs::read_to_string(&file).map(|value| value.trim() == "1").doing(|| format!("read {file}"))
        };
        if !notify("all")? && !notify(&side.interface)? {
            return Err(LabError::Spec(format!(
                "a new link address of {} would be announced to nobody; set net.ipv4.conf.all.arp_notify to 1",
                side.interface
            )));
        }
    }
    Ok(())
}

/// A packet that has passed the shaper comes in through a device that does not lead back to its sender: a strict filter
/// of return paths (value 1 for the device or for all) would drop it.
fn check_return_paths(device: &str) -> Result<(), LabError> {
    let mut values = Vec::new();
    for name in ["all", device] {
        let file = format!("/proc/sys/net/ipv4/conf/{name}/rp_filter");
        values.push(fs::read_to_string(&file).doing(|| format!("read {file}"))?.trim().to_owned());
    }
    if values.iter().max().is_none_or(|value| value != "1") {
        return Ok(());
    }
    Err(LabError::Spec(format!(
        "net.ipv4.conf.all.rp_filter or that of {device} is 1, which drops what has been shaped; set \
         net.ipv4.conf.all.rp_filter and net.ipv4.conf.default.rp_filter to 0"
    )))
}
