//! The link model: what one directed link does to each packet. Pure: time is an argument and randomness is seeded,
//! so that the same seed and the same packets give the same fates, in a test as in the lab.
//!
//! A link is a queue in front of a sender of a given rate, then a line with a delay. In this order a packet is cut,
//! lost, refused by the queue, serialised at the rate, delayed, and perhaps damaged or doubled. Guarantees:
//!
//! 1. First in, first out: no packet is delivered before one that was offered earlier, however the jitter falls,
//!    unless the shape asks for reordering.
//! 2. Packets that were accepted keep their delivery time when the shape changes or the link is cut.
//! 3. Each offer takes exactly the same draws and steps jitter and bursts, whatever its fate: the fate of one packet
//!    does not shift the draws of the next.
//! 4. A rate is never exceeded where packets enter the line. Behind it jitter may bring packets closer together, as on
//!    real lines.

mod codel;
mod jitter;
mod loss;
mod queue;
#[cfg(test)]
mod tests;
mod units;

use farquorum_config::LinkShape;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use jitter::Delays;
use loss::Losses;
use queue::Sender;

/// The fate of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It reaches the other end.
    Deliver(Delivery),
    /// It never arrives.
    Drop(Reason),
}

/// How a packet arrives. Times are nanoseconds on the clock that `now_ns` was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// When.
    pub at_ns: u64,
    /// When it arrives once more, if it does; not before `at_ns` unless the link reorders.
    pub copy_at_ns: Option<u64>,
    /// One bit behind the IP header is flipped, in the copy too: this one, modulo their number.
    pub flipped_bit: Option<u64>,
}

/// Why a link dropped a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The configured loss.
    Lost,
    /// The queue before the configured rate had no room.
    QueueFull,
    /// CoDel: packets have waited too long for too long.
    Waited,
    /// The link is cut.
    Cut,
}

/// One directed link.
#[derive(Clone, Debug)]
pub struct LinkModel {
    shape: LinkShape,
    rng: ChaCha8Rng,
    cut: bool,
    losses: Losses,
    sender: Sender,
    delays: Delays,
    /// The latest delivery time handed out. Invariant: never goes back.
    last_at_ns: u64,
}

impl LinkModel {
    /// A link of this shape, not cut. The shape must have passed [`LinkShape::check`].
    pub fn new(shape: LinkShape, seed: u64) -> LinkModel {
        LinkModel {
            rng: ChaCha8Rng::seed_from_u64(seed),
            cut: false,
            losses: Losses::of(shape.loss),
            sender: Sender::of(&shape),
            delays: Delays::of(&shape),
            last_at_ns: 0,
            shape,
        }
    }

    /// Decides the fate of a packet of `bytes` bytes that enters the link at `now_ns`, which must not go back.
    pub fn offer(&mut self, now_ns: u64, bytes: usize) -> Verdict {
        let draws = Draws::take(&mut self.rng);
        let delay_ns = self.delays.next(now_ns, draws.jitter);
        let lost = self.losses.next(draws.loss, draws.burst);
        if self.cut {
            return Verdict::Drop(Reason::Cut);
        }
        if lost {
            return Verdict::Drop(Reason::Lost);
        }
        let sent_ns = match self.sender.admit(now_ns, bytes) {
            Ok(sent_ns) => sent_ns,
            Err(reason) => return Verdict::Drop(reason),
        };
        let at_ns = self.arrive(sent_ns, delay_ns, draws.reorder < self.shape.reorder);
        // A copy waits for the rate like any packet; without room there is none.
        let copied = draws.duplicate < self.shape.duplicate;
        let copy_sent_ns = copied.then(|| self.sender.admit(now_ns, bytes).ok()).flatten();
        Verdict::Deliver(Delivery {
            at_ns,
            copy_at_ns: copy_sent_ns.map(|sent_ns| self.arrive(sent_ns, delay_ns, false)),
            flipped_bit: (draws.corrupt < self.shape.corrupt).then_some(draws.bit),
        })
    }

    /// When a packet arrives that is on the wire at `sent_ns`.
    fn arrive(&mut self, sent_ns: u64, delay_ns: u64, overtakes: bool) -> u64 {
        let in_order_ns = sent_ns.saturating_add(delay_ns).max(self.last_at_ns);
        if overtakes && self.last_at_ns > sent_ns {
            // Just before the packet in front of it: it overtakes, yet is never faster than the wire.
            return (self.last_at_ns - 1).max(sent_ns).min(in_order_ns);
        }
        self.last_at_ns = in_order_ns;
        in_order_ns
    }

    /// Replaces the shape for packets offered from now on. Accepted packets keep their time, and packets behind them
    /// keep their order, so a shorter delay shows once the last slow packet has arrived.
    pub fn set_shape(&mut self, shape: LinkShape) {
        self.losses.set(shape.loss);
        self.sender.set(&shape);
        self.delays.set(&shape);
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
    burst: f64,
    reorder: f64,
    jitter: f64,
    duplicate: f64,
    corrupt: f64,
    bit: u64,
}

impl Draws {
    fn take(rng: &mut ChaCha8Rng) -> Draws {
        Draws {
            loss: rng.random(),
            burst: rng.random(),
            reorder: rng.random(),
            jitter: StandardNormal.sample(rng),
            duplicate: rng.random(),
            corrupt: rng.random(),
            bit: rng.random(),
        }
    }
}

/// The seed of one directed link: the lab's seed and both names by FNV-1a, so that adding a cloud changes no other
/// link's draws.
pub fn link_seed(seed: u64, from: &str, to: &str) -> u64 {
    let name = from.bytes().chain([0]).chain(to.bytes()).chain(seed.to_le_bytes());
    name.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
