//! A train of numbered packets from one host to another, with the time of each at both ends.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use farquorum_netem::clock;
use farquorum_netem::lab::{Lab, in_netns};

use crate::Outcome;

/// Longest way of a packet here: the longest delay, and the longest queue.
const PATIENCE: Duration = Duration::from_millis(800);
const STAMP_BYTES: usize = 16;

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Train {
    pub(crate) packets: u64,
    pub(crate) spacing: Duration,
    /// Of a whole IP packet.
    pub(crate) bytes: usize,
    /// How often one may arrive; with more than once, the receiver waits until nothing more comes.
    pub(crate) copies: u64,
    pub(crate) ipv6: bool,
}

impl Train {
    pub(crate) fn of(packets: u64, spacing_ms: u64) -> Train {
        Train { packets, spacing: Duration::from_millis(spacing_ms), bytes: 100, copies: 1, ipv6: false }
    }
}

/// One packet that arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) number: u64,
    pub(crate) sent_ns: u64,
    pub(crate) received_ns: u64,
}

impl Arrival {
    #[allow(clippy::as_conversions, reason = "integer to float has no other form for 64 bits")]
    pub(crate) fn delay_ms(&self) -> f64 {
        self.received_ns.saturating_sub(self.sent_ns) as f64 / 1e6
    }
}

/// Sends a train and gives what arrived, in the order of arrival; `during` runs while it is under way.
pub(crate) fn run(
    lab: &Lab,
    (from, to): (&str, &str),
    train: Train,
    during: impl FnOnce() -> Outcome<()>,
) -> Outcome<Vec<Arrival>> {
    let (sender, receiver) = (socket(lab, from, train.ipv6)?, socket(lab, to, train.ipv6)?);
    sender.connect(receiver.local_addr()?)?;
    let sent = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let receiving = scope.spawn(|| receive(&receiver, train, &sent));
        let sending = scope.spawn(|| {
            let done = send(&sender, train);
            sent.store(true, Ordering::Relaxed);
            done
        });
        let result = during();
        sending.join().map_err(|_| "the sender panicked")??;
        let arrivals = receiving.join().map_err(|_| "the receiver panicked")??;
        result.map(|()| arrivals)
    })
}

fn send(socket: &UdpSocket, train: Train) -> std::io::Result<()> {
    // Without the headers of IP and UDP.
    let mut packet = vec![0; train.bytes.saturating_sub(28).max(STAMP_BYTES)];
    let start_ns = clock::now_ns();
    for number in 0..train.packets {
        let due_ns = start_ns + number * u64::try_from(train.spacing.as_nanos()).unwrap_or(0);
        sleep(Duration::from_nanos(due_ns.saturating_sub(clock::now_ns())));
        let stamp = [number.to_be_bytes(), clock::now_ns().to_be_bytes()].concat();
        packet.splice(..STAMP_BYTES, stamp);
        socket.send(&packet)?;
    }
    Ok(())
}

fn receive(socket: &UdpSocket, train: Train, sent: &AtomicBool) -> std::io::Result<Vec<Arrival>> {
    let mut arrivals = Vec::new();
    let mut buffer = [0; 2_048];
    socket.set_read_timeout(Some(PATIENCE))?;
    while u64::try_from(arrivals.len()).is_ok_and(|count| count < train.packets * train.copies) {
        let done = sent.load(Ordering::Relaxed);
        match socket.recv(&mut buffer) {
            Ok(_) => {
                let received_ns = clock::now_ns();
                let ([number, sent_ns, ..], _) = buffer.as_chunks::<8>() else { continue };
                let (number, sent_ns) = (u64::from_be_bytes(*number), u64::from_be_bytes(*sent_ns));
                arrivals.push(Arrival { number, sent_ns, received_ns });
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if done {
                    break;
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(arrivals)
}

pub(crate) fn socket(lab: &Lab, host: &str, ipv6: bool) -> Outcome<UdpSocket> {
    let spec = lab.spec().hosts.iter().find(|other| other.name == host).ok_or("no such host")?;
    let address = if ipv6 { IpAddr::from(spec.ipv6()) } else { spec.address.into() };
    let address = SocketAddr::from((address, 0));
    let binding = in_netns(lab.netns_of(host)?, move || UdpSocket::bind(address))?;
    Ok(binding.join().map_err(|_| "the thread of a socket panicked")???)
}
