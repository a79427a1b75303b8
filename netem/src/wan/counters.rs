//! What passed each directed link.

use farquorum_config::LinkShape;
use serde::Serialize;

use crate::model::Reason;

/// What a directed link did since the start. Offered plus duplicated is delivered, plus each kind of drop, plus what
/// is in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Packets that entered.
    pub offered: u64,
    /// Their bytes, with IP headers.
    pub offered_bytes: u64,
    /// Packets that came out.
    pub delivered: u64,
    /// Their bytes.
    pub delivered_bytes: u64,
    /// Dropped: the configured loss.
    pub lost: u64,
    /// Dropped: no room in the queue before the rate.
    pub queue_full: u64,
    /// Dropped: CoDel, since packets have waited too long for too long.
    pub waited: u64,
    /// Dropped: a cut link or pair of hosts.
    pub cut: u64,
    /// Dropped: the lab had too many packets in flight (its memory is bounded). Not part of the emulation: a run
    /// where this is not zero asks for more than the emulator can carry.
    pub overload: u64,
    /// Dropped: the destination's device refused the packet.
    pub refused: u64,
    /// Copies made of packets, on request.
    pub duplicated: u64,
    /// Packets with a flipped bit, on request.
    pub corrupted: u64,
}

impl Counters {
    pub(crate) fn offer(&mut self, bytes: u64) {
        self.offered += 1;
        self.offered_bytes += bytes;
    }

    pub(crate) fn deliver(&mut self, bytes: u64) {
        self.delivered += 1;
        self.delivered_bytes += bytes;
    }

    pub(crate) fn drop_for(&mut self, reason: Reason) {
        match reason {
            Reason::Lost => self.lost += 1,
            Reason::QueueFull => self.queue_full += 1,
            Reason::Waited => self.waited += 1,
            Reason::Cut => self.cut += 1,
        }
    }
}

/// One directed link between two clouds, or inside one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LinkReport {
    /// Cloud that sends.
    pub from: String,
    /// Cloud that receives.
    pub to: String,
    /// The shape in force.
    pub shape: LinkShape,
    /// Whether the whole link is cut.
    pub cut: bool,
    /// Ordered pairs of hosts on this link that are cut by themselves.
    pub cut_host_pairs: u64,
    /// What passed.
    pub counters: Counters,
}
