//! The lab: one network namespace per host, and the WAN between them.
//!
//! Every host has a loopback, one device `wan0`, one IPv4 address and one IPv6 address that follows from it
//! ([`ipv6_of`]), and a default route into the device for each, and nothing else: there is no bridge and no route from
//! host to host. In user space, the other ends of the devices are descriptors of this process, and the thread of
//! [`crate::wan`] is all that moves packets between them; in the kernel they hang on the edges of [`crate::kernel`].
//! When the process ends, the kernel takes its descriptors, and with them the namespaces.

mod address;
mod breach;
mod device;
mod enter;
mod guest;
mod inlet;
pub(crate) mod netlink;
pub(crate) mod netns;
pub(crate) mod offload;
mod probe;
mod sample;
mod spec;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread;

use farquorum_config::{LabBackend, known};
use nix::sched::{CloneFlags, setns};

pub(crate) use address::ipv4_of;
pub use address::{gateway, ipv6_of};
pub(crate) use device::Port;
pub use device::{DeviceKind, INTERFACE};
pub use enter::{Entered, enter};
pub use guest::join;
pub(crate) use inlet::Inlet;
pub use netns::in_netns;
pub use probe::{NotPermitted, Privilege, probe};
pub use spec::{HostSpec, LabSpec, MACHINE_INTERFACE, OBJECT_STORE, OPERATOR};

use crate::error::{Doing, LabError};
use crate::kernel;
use crate::wan::{Ports, Wan, WanControl};
use device::PortSpec;

/// A running lab.
#[derive(Debug)]
pub struct Lab {
    spec: LabSpec,
    netns: BTreeMap<String, OwnedFd>,
    wan: Wan,
    backend: String,
}

impl Lab {
    /// Makes a namespace and a device for every host and starts the backend that the spec names. Needs the privileges
    /// that [`enter`] gives.
    ///
    /// # Errors
    /// A spec that contradicts itself, a step that the kernel refused; of the kernel backend also: no netem, or a
    /// shape that netem does not have.
    pub fn start(spec: LabSpec) -> Result<Lab, LabError> {
        match spec.backend {
            LabBackend::Auto | LabBackend::User => {}
            LabBackend::Kernel => return Lab::start_kernel(spec),
            LabBackend::Relay => {
                return Err(LabError::Spec(
                    "relays carry no packets: they are no lab of namespaces".to_string(),
                ));
            }
        }
        let (kind, why) = DeviceKind::choose();
        Lab::start_with(spec, kind, &why)
    }

    fn start_kernel(spec: LabSpec) -> Result<Lab, LabError> {
        spec.check()?;
        kernel::probe()?;
        let (netns, wan) = kernel::start(&spec)?;
        let netns = spec.hosts.iter().map(|host| host.name.clone()).zip(netns).collect();
        let backend = format!("WAN in the kernel: asked for, and netem is there; {}", wan.words());
        Ok(Lab { spec, netns, wan, backend })
    }

    /// [`Lab::start`] in user space, with a kind of device that the caller chose; `why` goes into [`Lab::backend`].
    pub fn start_with(spec: LabSpec, kind: DeviceKind, why: &str) -> Result<Lab, LabError> {
        spec.check()?;
        let hosts = thread::scope(|scope| {
            let maker = scope.spawn(|| make_hosts(&spec, kind));
            maker.join().unwrap_or_else(|_| {
                Err(LabError::Child("the thread that makes the hosts panicked".to_string()))
            })
        })?;
        let (netns, ports): (Vec<_>, Vec<_>) = hosts.into_iter().unzip();
        let (ports, inlets) = ports.into_iter().unzip();
        let netns = spec.hosts.iter().map(|host| host.name.clone()).zip(netns).collect();
        let wan = Wan::start(&spec, Ports::Each(ports), inlets)?;
        let backend = format!("WAN in user space, {}: {why}; {}", device_words(kind), wan.words());
        Ok(Lab { spec, netns, wan, backend })
    }

    /// The network namespace of a host.
    pub fn netns(&self, host: &str) -> Option<BorrowedFd<'_>> {
        self.netns.get(host).map(AsFd::as_fd)
    }

    /// [`Lab::netns`], or an error with the hosts that there are.
    pub fn netns_of(&self, host: &str) -> Result<BorrowedFd<'_>, LabError> {
        let names = || self.spec.hosts.iter().map(|host| &host.name);
        self.netns(host)
            .ok_or_else(|| LabError::UnknownHost { name: host.to_string(), known: known(host, names()) })
    }

    /// Makes a command start inside a host: it enters the host's network namespace between fork and exec.
    pub fn place(&self, host: &str, command: &mut Command) -> Result<(), LabError> {
        let netns = self.netns_of(host)?.try_clone_to_owned();
        let netns = netns.doing(|| format!("copy the network namespace of {host}"))?;
        // SAFETY: the closure makes one system call on a descriptor that it owns; it neither allocates nor locks.
        unsafe { command.pre_exec(move || Ok(setns(netns.as_fd(), CloneFlags::CLONE_NEWNET)?)) };
        Ok(())
    }

    /// What the lab was made from.
    pub fn spec(&self) -> &LabSpec {
        &self.spec
    }

    /// The handle that changes and reads links while the lab runs.
    pub fn control(&self) -> WanControl {
        self.wan.control()
    }

    /// One line: which backend, and why.
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// Stops the WAN and closes every namespace. Processes inside keep theirs alive, without a way out.
    pub fn stop(self) {
        self.wan.stop();
    }
}

/// A host's network, the WAN's end of its device, and the device's counters.
type Made = (OwnedFd, (Port, Inlet));

/// Makes all hosts on the calling thread, which ends up in the last one's namespace and should end then.
fn make_hosts(spec: &LabSpec, kind: DeviceKind) -> Result<Vec<Made>, LabError> {
    let hub = netns::make(false).doing(|| "make the hub's network namespace".to_string())?;
    let mut made = Vec::with_capacity(spec.hosts.len());
    for (number, host) in spec.hosts.iter().enumerate() {
        let netns =
            netns::make(spec.has_ipv6()).doing(|| format!("make the network namespace of {}", host.name))?;
        let port = PortSpec {
            number,
            address: host.address,
            mtu: spec.mtu,
            ipv6: spec.has_ipv6(),
            host: netns.as_fd(),
            hub: hub.as_fd(),
        };
        let port = Port::open(kind, &port).doing(|| format!("make the network device of {}", host.name))?;
        let inlet = Inlet::of(&port, INTERFACE).doing(|| format!("find the counters of {}", host.name))?;
        made.push((netns, (port, inlet)));
    }
    Ok(made)
}

fn device_words(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Tun => "TUN devices",
        DeviceKind::Packet => "veth pairs with packet sockets",
    }
}
