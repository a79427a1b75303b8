//! The link model: what one directed link does to each packet. Pure: time is an argument and randomness is seeded,
//! so that the same seed and the same packets give the same fates, in a test as in the lab.
//!
//! A link is a queue in front of a sender of a given rate, then a line with a delay. In this order a packet is cut,
//! lost, refused by the full queue, serialised at the rate, and delayed. Guarantees:
//!
//! 1. First in, first out: no packet is delivered before one that was offered earlier, however the jitter falls,
//!    unless the shape asks for reordering.
//! 2. Packets that were accepted keep their delivery time when the shape changes or the link is cut.
//! 3. Each offer takes exactly the same number of draws, whatever its fate: the fate of one packet does not shift
//!    the draws of the next.
//!
//! Limits: losses are independent of each other, and jitter is normal (no bursts, no measured quantiles).

mod shape;
#[cfg(test)]
mod tests;

use farquorum_config::LinkShape;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use shape::Params;
pub use shape::{ShapeError, check};

/// The fate of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It reaches the other end at this time, on the clock that `now_ns` was read from.
    Deliver {
        /// Delivery time, nanoseconds.
        at_ns: u64,
    },
    /// It never arrives.
    Drop(Reason),
}

/// Why a link dropped a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The configured share of losses.
    Lost,
    /// The queue before the configured rate had no room.
    QueueFull,
    /// The link is cut.
    Cut,
}

/// One directed link.
#[derive(Clone, Debug)]
pub struct LinkModel {
    shape: LinkShape,
    params: Params,
    rng: ChaCha8Rng,
    cut: bool,
    /// When the sender has serialised everything that it accepted. Invariant: never goes back.
    busy_until_ns: u64,
    /// The latest delivery time handed out. Invariant: never goes back.
    last_at_ns: u64,
}

impl LinkModel {
    /// A link of this shape, not cut. The shape must have passed [`check`]; values outside the ranges are clamped.
    pub fn new(shape: LinkShape, seed: u64) -> LinkModel {
        let params = Params::of(&shape);
        let rng = ChaCha8Rng::seed_from_u64(seed);
        LinkModel { shape, params, rng, cut: false, busy_until_ns: 0, last_at_ns: 0 }
    }

    /// Decides the fate of a packet of `bytes` bytes that enters the link at `now_ns`, which must not go back.
    pub fn offer(&mut self, now_ns: u64, bytes: usize) -> Verdict {
        let draws = Draws::take(&mut self.rng);
        if self.cut {
            return Verdict::Drop(Reason::Cut);
        }
        if draws.loss < self.params.loss {
            return Verdict::Drop(Reason::Lost);
        }
        let Some(sent_ns) = self.serialise(now_ns, bytes) else {
            return Verdict::Drop(Reason::QueueFull);
        };
        let due_ns = sent_ns.saturating_add(self.params.delay_ns(draws.jitter));
        let in_order_ns = due_ns.max(self.last_at_ns);
        if draws.reorder < self.params.reorder && self.last_at_ns > sent_ns {
            // Just before the packet in front of it: it overtakes, yet is never faster than the wire.
            return Verdict::Deliver { at_ns: (self.last_at_ns - 1).max(sent_ns).min(in_order_ns) };
        }
        self.last_at_ns = in_order_ns;
        Verdict::Deliver { at_ns: in_order_ns }
    }

    /// When the last bit of the packet is on the wire; none when the queue has no room for it.
    fn serialise(&mut self, now_ns: u64, bytes: usize) -> Option<u64> {
        let Some(rate) = &self.params.rate else {
            return Some(now_ns);
        };
        let start_ns = self.busy_until_ns.max(now_ns);
        let own_ns = rate.time_ns(bytes);
        // A packet on an idle line needs no queue, however small the queue is.
        if start_ns > now_ns && start_ns - now_ns + own_ns > rate.queue_ns {
            return None;
        }
        self.busy_until_ns = start_ns.saturating_add(own_ns);
        Some(self.busy_until_ns)
    }

    /// Replaces the shape for packets offered from now on. Accepted packets keep their time, and packets behind them
    /// keep their order, so a shorter delay shows once the last slow packet has arrived.
    pub fn set_shape(&mut self, shape: LinkShape) {
        self.params = Params::of(&shape);
        self.shape = shape;
    }

    /// Cuts the link or heals it, for packets offered from now on.
    pub fn set_cut(&mut self, cut: bool) {
        self.cut = cut;
    }

    /// The shape in force.
    pub fn shape(&self) -> &LinkShape {
        &self.shape
    }

    /// Whether the link is cut.
    pub fn is_cut(&self) -> bool {
        self.cut
    }
}

/// The random part of one packet's fate, always drawn whole (guarantee 3).
struct Draws {
    loss: f64,
    reorder: f64,
    jitter: f64,
}

impl Draws {
    fn take(rng: &mut ChaCha8Rng) -> Draws {
        Draws { loss: rng.random(), reorder: rng.random(), jitter: StandardNormal.sample(rng) }
    }
}

/// The seed of one directed link: the lab's seed and both names by FNV-1a, so that adding a cloud changes no other
/// link's draws.
pub fn link_seed(seed: u64, from: &str, to: &str) -> u64 {
    let name = from.bytes().chain([0]).chain(to.bytes()).chain(seed.to_le_bytes());
    name.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
