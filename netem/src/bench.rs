//! How many packets the user-space WAN carries: a figure for `farquorum bench`, never an assertion.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use farquorum_config::{Ipv4Net, LabBackend, Link, LinkShape};
use serde::Serialize;

use crate::clock;
use crate::error::{Doing, LabError};
use crate::lab::{HostSpec, Lab, LabSpec, in_netns};
use crate::wan::{Counters, WanControl, WanError};

/// UDP payload of a 1,200-byte IP packet.
const PAYLOAD_BYTES: usize = 1_200 - 28;
const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 10, 0, 11);
const SINK: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 11);
const WARM_UP: Duration = Duration::from_millis(300);
const MEASURE: Duration = Duration::from_secs(2);

/// What the WAN carried while one host sent as fast as it could.
#[derive(Clone, Debug, Serialize)]
pub struct PacketRate {
    /// Packets of 1,200 bytes delivered per second of real time, over a link of 5 ms.
    pub packets_per_second: f64,
    /// Packets delivered per second of the WAN thread's CPU time: what one core carries, whatever else ran.
    pub packets_per_core_second: f64,
    /// Which devices, and how the thread is scheduled.
    pub backend: String,
}

/// Floods a lab of two hosts for two seconds. Needs the privileges that [`crate::lab::enter`] gives.
pub fn packet_rate() -> Result<PacketRate, LabError> {
    let lab = Lab::start(two_hosts())?;
    let sink = bound(lab.netns_of("sink")?, SINK)?;
    let target = sink.local_addr().doing(|| "read the sink's address".to_string())?;
    let source = bound(lab.netns_of("source")?, SOURCE)?;
    source.connect(target).doing(|| format!("connect to {target}"))?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let flood = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            // A full queue refuses packets; then the WAN is the bottleneck, which is what is measured.
            let _ = source.send(&[0; PAYLOAD_BYTES]);
        }
    });
    let measured = measure(&lab.control());
    stop.store(true, Ordering::Relaxed);
    let panicked = |_| LabError::Child("the flooding thread panicked".to_string());
    flood.join().map_err(panicked)?;
    let (packets, time, cpu) = measured.map_err(|error| LabError::Child(error.to_string()))?;
    let rate = PacketRate {
        packets_per_second: packets / time.as_secs_f64(),
        packets_per_core_second: packets / cpu.as_secs_f64(),
        backend: lab.backend().to_string(),
    };
    lab.stop();
    Ok(rate)
}

/// Packets delivered, time passed, CPU time used. The sink reads nothing: its kernel drops what does not fit, which
/// is after the delivery.
fn measure(control: &WanControl) -> Result<(f64, Duration, Duration), WanError> {
    sleep(WARM_UP);
    let (start_ns, cpu, before) = (clock::now_ns(), control.cpu_time()?, crossing(control)?);
    sleep(MEASURE);
    let packets = crossing(control)?.delivered - before.delivered;
    let time = Duration::from_nanos(clock::now_ns() - start_ns);
    Ok((f64::from(u32::try_from(packets).unwrap_or(u32::MAX)), time, control.cpu_time()? - cpu))
}

fn crossing(control: &WanControl) -> Result<Counters, WanError> {
    let links = control.links()?;
    Ok(links
        .into_iter()
        .find(|link| link.from == "west" && link.to == "east")
        .map(|link| link.counters)
        .unwrap_or_default())
}

fn bound(netns: BorrowedFd<'_>, address: Ipv4Addr) -> Result<UdpSocket, LabError> {
    let making = in_netns(netns, move || UdpSocket::bind((address, 0)))?;
    let panicked = |_| Err(LabError::Child("a thread that makes a socket panicked".to_string()));
    making.join().unwrap_or_else(panicked)?.doing(|| "bind a UDP socket".to_string())
}

fn two_hosts() -> LabSpec {
    let host = |name: &str, cloud: &str, address| HostSpec {
        name: name.to_string(),
        cloud: cloud.to_string(),
        address,
    };
    let link = |from: &str, to: &str| Link {
        from: from.to_string(),
        to: to.to_string(),
        shape: LinkShape { delay_ms: 5.0, ..LinkShape::default() },
    };
    let network = |net| Ipv4Net { base: Ipv4Addr::new(10, net, 0, 0), len: 24 };
    LabSpec {
        hosts: vec![host("source", "west", SOURCE), host("sink", "east", SINK)],
        clouds: BTreeMap::from([("west".to_string(), network(10)), ("east".to_string(), network(20))]),
        links: vec![link("west", "east"), link("east", "west")],
        local: LinkShape::default(),
        mtu: 1_500,
        seed: 1,
        backend: LabBackend::Auto,
    }
}
