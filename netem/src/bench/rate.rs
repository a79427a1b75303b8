//! Packets per second: one host floods another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use serde::Serialize;

use super::{host, stopped, two_hosts, udp_socket};
use crate::clock;
use crate::error::{Doing, LabError};
use crate::lab::Lab;
use crate::wan::{Counters, WanControl, WanError};

/// UDP payload of a 1,200-byte IP packet.
const PAYLOAD_BYTES: usize = 1_200 - 28;
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

/// Floods a lab of two hosts for two seconds, through its real devices.
pub fn packet_rate() -> Result<PacketRate, LabError> {
    let lab = Lab::start(two_hosts(5.0))?;
    let ((sink_host, sink_netns), (source_host, source_netns)) =
        (host(&lab, "east-11")?, host(&lab, "west-11")?);
    let sink = udp_socket(sink_netns, sink_host.address.into())?;
    let target = sink.local_addr().doing(|| "read the sink's address".to_string())?;
    let source = udp_socket(source_netns, source_host.address.into())?;
    source.connect(target).doing(|| format!("connect to {target}"))?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = stop.clone();
    let flood = std::thread::spawn(move || {
        while !stopping.load(Ordering::Relaxed) {
            // A full queue refuses packets; then the WAN is the bottleneck, which is what is measured.
            let _ = source.send(&[0; PAYLOAD_BYTES]);
        }
    });
    let measured = measure(&lab.control());
    stop.store(true, Ordering::Relaxed);
    let panicked = |_| LabError::Child("the flooding thread panicked".to_string());
    flood.join().map_err(panicked)?;
    let (packets, time, cpu) = measured.map_err(stopped)?;
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
