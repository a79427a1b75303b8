//! UDP echoes with times in them: a responder inside one host, probes from another.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Protocol;
use crate::clock;
use crate::error::{Doing, LabError};
use crate::lab::in_netns;
use crate::stamp::{self, Arrival};

/// A probe: its send time.
pub(super) const ASK_BYTES: usize = 8;
/// An answer: the probe, when the responder had it, and when it answered.
pub(super) const ANSWER_BYTES: usize = 24;
/// The same as floats: there, back.
pub(super) const PAYLOAD_BYTES: [f64; 2] = [8.0, 24.0];
/// Time between two probes of a pair.
pub(super) const SPACING: Duration = Duration::from_millis(10);
/// Pairs start one after another by this, so that their packets do not come due together.
pub(super) const TURN: Duration = Duration::from_micros(1_500);
/// Time beyond the last answer that a probe may take: longer than any queue of a lab that is worth using.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often the responder looks whether it should end.
pub(super) const STOP_CHECK: Duration = Duration::from_millis(20);

/// One answered probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) rtt_ns: u64,
    pub(super) one_way_ns: u64,
}

/// A responder inside a host; ends when dropped.
pub(super) struct Echo {
    pub(super) address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    pub(super) fn start(netns: BorrowedFd<'_>, address: IpAddr) -> Result<Echo, LabError> {
        let socket = socket_in(netns, address)?;
        socket.set_read_timeout(Some(STOP_CHECK)).doing(|| "set the responder's timeout".to_string())?;
        let address = socket.local_addr().doing(|| "read the responder's address".to_string())?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let mut probe = [0; ASK_BYTES];
            while !stopped.load(Ordering::Relaxed) {
                let Ok(Arrival { length: ASK_BYTES, from: Some(asker), at_ns }) =
                    stamp::receive(&socket, &mut probe)
                else {
                    continue;
                };
                let answer = [probe, at_ns.to_be_bytes(), clock::wall_ns().to_be_bytes()].concat();
                // A lost answer is a lost probe, which the asker counts.
                let _ = socket.send_to(&answer, asker);
            }
        });
        Ok(Echo { address, stop, thread: Some(thread) })
    }

    pub(super) fn protocol(&self) -> Protocol {
        if self.address.is_ipv4() { Protocol::Ipv4 } else { Protocol::Ipv6 }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a responder of the self-test panicked");
        }
    }
}

/// Sends probes to a responder and collects the answers; `turn` spreads pairs that run at once.
pub(super) fn exchange(
    netns: BorrowedFd<'_>,
    responder: SocketAddr,
    probes: usize,
    turn: usize,
) -> Result<Vec<Sample>, LabError> {
    let any = match responder {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = socket_in(netns, any)?;
    socket.connect(responder).doing(|| format!("connect to {responder}"))?;
    thread::sleep(TURN * u32::try_from(turn).unwrap_or(0));
    let mut samples = Vec::with_capacity(probes);
    for left in (0..probes).rev() {
        // A refused send is a probe without an answer; the verdict says so with names.
        let _ = socket.send(&clock::wall_ns().to_be_bytes());
        let patience = if left > 0 { SPACING } else { PATIENCE };
        collect(&socket, patience, probes, &mut samples)?;
    }
    Ok(samples)
}

/// Reads answers until `patience` passes without one more, or all are there.
fn collect(
    socket: &UdpSocket,
    patience: Duration,
    probes: usize,
    samples: &mut Vec<Sample>,
) -> Result<(), LabError> {
    let start_ns = clock::now_ns();
    let mut answer = [0; ANSWER_BYTES];
    while samples.len() < probes {
        let spent = Duration::from_nanos(clock::now_ns() - start_ns);
        let Some(left) = patience.checked_sub(spent).filter(|left| !left.is_zero()) else { break };
        socket.set_read_timeout(Some(left)).doing(|| "set the timeout of a probe".to_string())?;
        match stamp::receive(socket, &mut answer) {
            Ok(Arrival { length: ANSWER_BYTES, at_ns, .. }) => samples.extend(read_answer(&answer, at_ns)),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            // Nobody listens there any more, or there is no route: no answer either way.
            Err(_) => break,
        }
    }
    Ok(())
}

/// The round trip is without the time that the responder took, as in the product's own measurement.
pub(super) fn read_answer(answer: &[u8; ANSWER_BYTES], back_ns: u64) -> Option<Sample> {
    let (times, _) = answer.as_chunks::<8>();
    let [sent_ns, had_ns, answered_ns] = *times else { return None };
    let [sent_ns, had_ns, answered_ns] = [sent_ns, had_ns, answered_ns].map(u64::from_be_bytes);
    let one_way_ns = had_ns.checked_sub(sent_ns)?;
    Some(Sample { rtt_ns: one_way_ns + back_ns.checked_sub(answered_ns)?, one_way_ns })
}

fn socket_in(netns: BorrowedFd<'_>, address: IpAddr) -> Result<UdpSocket, LabError> {
    let making = in_netns(netns, move || UdpSocket::bind((address, 0)))?;
    let panicked = |_| Err(LabError::Child("a thread that makes a socket panicked".to_string()));
    let socket =
        making.join().unwrap_or_else(panicked)?.doing(|| format!("bind a UDP socket of {address}"))?;
    stamp::enable(&socket).doing(|| "ask for times of arrival".to_string())?;
    Ok(socket)
}
