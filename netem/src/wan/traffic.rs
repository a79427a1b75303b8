//! What the WAN does with packets, between two sleeps: read, route, offer to the link, hand over when due.
//!
//! One packet per system call: a TUN has no call for several, and one core carries several times the packets that the
//! lab is asked for (`examples/figures.rs`). No packet costs an allocation: buffers come from the pool of `flight`.

use nix::errno::Errno;

use super::damage;
use super::flight::Flight;
use super::icmp::{self, Refusal};
use super::lateness::LatenessLog;
use super::links::{Links, Path};
use super::ports::Ports;
use super::routes::{Route, Routes};
use super::strays::{Allowance, Stray, Strays};
use crate::clock;
use crate::error::LabError;
use crate::lab::LabSpec;

/// Packets read from one host before packets that came due are delivered: at 10 us each, well below our tolerance.
const BATCH: usize = 16;

/// State of the WAN, apart from descriptors that a poll borrows.
pub(super) struct Traffic {
    pub(super) links: Links,
    pub(super) lateness: LatenessLog,
    pub(super) strays: Strays,
    routes: Routes,
    flight: Flight,
    /// Messages that each host may still get.
    allowances: Vec<Allowance>,
}

impl Traffic {
    /// No packet yet, for a checked spec.
    pub(super) fn of(spec: &LabSpec) -> Result<Traffic, LabError> {
        Ok(Traffic {
            links: Links::of(spec),
            lateness: LatenessLog::new()?,
            strays: Strays::default(),
            routes: Routes::of(spec),
            // One byte more than allowed, so that a packet that is too long is seen to be so.
            flight: Flight::new(usize::from(spec.mtu) + 1),
            allowances: vec![Allowance::default(); spec.hosts.len()],
        })
    }

    /// When the next packet is due.
    pub(super) fn next_ns(&self) -> Option<u64> {
        self.flight.next_ns()
    }

    /// Hands over everything that is due.
    pub(super) fn deliver(&mut self, ports: &Ports) {
        let mut now_ns = clock::now_ns();
        while let Some(due) = self.flight.pop_due(now_ns) {
            let (path, bytes) = (due.path, due.packet().len());
            let written = ports.to(path.to).map(|port| port.write(due.packet()));
            now_ns = clock::now_ns();
            self.lateness.record(now_ns.saturating_sub(due.at_ns));
            if let Some(link) = self.links.link_mut(path.link) {
                match written {
                    Some(Ok(())) => link.counters.deliver(u64::try_from(bytes).unwrap_or(u64::MAX)),
                    _ => link.counters.refused += 1,
                }
            }
            self.flight.land(due);
        }
    }

    /// Reads a batch of packets of one device and decides their fate; false: the device does not exist any more.
    pub(super) fn read(&mut self, ports: &Ports, device: usize) -> bool {
        let Some(port) = ports.all().get(device) else { return false };
        for _ in 0..BATCH {
            let mut buffer = self.flight.buffer();
            match port.read(&mut buffer) {
                Ok(length) => {
                    let host = ports.host_of(device);
                    match host.or_else(|| self.routes.sender(buffer.get(..length).unwrap_or_default())) {
                        Some(host) => self.accept(host, buffer, length),
                        None => {
                            self.strays.count(Stray::Spoofed);
                            self.flight.recycle(buffer);
                        }
                    }
                }
                // Nothing waits, or the device is down: either way there is no packet.
                Err(error) => {
                    self.flight.recycle(buffer);
                    return error != Errno::EBADFD;
                }
            }
        }
        true
    }

    fn accept(&mut self, host: usize, mut buffer: Box<[u8]>, length: usize) {
        let now_ns = clock::now_ns();
        let route = self.routes.route(host, buffer.get_mut(..length).unwrap_or_default());
        match route {
            Route::To(to) => match self.links.path(host, to) {
                Some(path) => return self.send(path, now_ns, buffer, length),
                None => self.strays.unreachable += 1,
            },
            Route::Refused(refusal) => {
                self.strays.refuse(refusal);
                self.answer(host, now_ns, refusal, buffer.get(..length).unwrap_or_default());
            }
            Route::Dropped(stray) => self.strays.count(stray),
        }
        self.flight.recycle(buffer);
    }

    /// Offers a packet to its link.
    fn send(&mut self, path: Path, now_ns: u64, mut buffer: Box<[u8]>, length: usize) {
        let Some(delivery) = self.links.offer(path, now_ns, length) else {
            return self.flight.recycle(buffer);
        };
        let packet = buffer.get_mut(..length).unwrap_or_default();
        if let Some(bit) = delivery.flipped_bit {
            damage::flip(packet, bit);
        }
        let copy = delivery.copy_at_ns.map(|at_ns| (at_ns, self.flight.copy_of(packet)));
        self.launch(delivery.at_ns, path, buffer, length);
        if let Some((at_ns, copy)) = copy {
            self.launch(at_ns, path, copy, length);
        }
    }

    fn launch(&mut self, at_ns: u64, path: Path, buffer: Box<[u8]>, length: usize) {
        if !self.flight.launch(at_ns, path, buffer, length)
            && let Some(link) = self.links.link_mut(path.link)
        {
            link.counters.overload += 1;
        }
    }

    /// Tells a host that its packet goes nowhere, if it may be told. The message comes over the link inside the
    /// host's cloud, as from a gateway that stands there.
    fn answer(&mut self, host: usize, now_ns: u64, refusal: Refusal, packet: &[u8]) {
        let Some((gateway, path)) = self.routes.gateway_of(host, packet).zip(self.links.path(host, host))
        else {
            return;
        };
        let mut buffer = self.flight.buffer();
        let message = icmp::refuse(packet, refusal, gateway, &mut buffer);
        let allowed = |_: &usize| self.allowances.get_mut(host).is_some_and(|one| one.take(now_ns));
        match message.filter(allowed) {
            Some(length) => {
                self.strays.answered += 1;
                self.send(path, now_ns, buffer, length);
            }
            None => self.flight.recycle(buffer),
        }
    }
}

#[cfg(test)]
#[path = "traffic_tests.rs"]
mod tests;
