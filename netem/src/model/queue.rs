//! The sender of a link: a queue of bounded length in front of a rate. Because it serves in order and at a known rate,
//! a packet's wait is known when it arrives, and with it everything that CoDel would find out when it leaves.
//!
//! Limit: a packet that CoDel drops makes room at once, not first when it gets to the head of the queue.

use farquorum_config::{LinkShape, Queue};

use super::Reason;
use super::codel::Codel;
use super::units::{NS_PER_MS, float, whole};

/// Least queue when none is configured: forty full packets, so that a slow link still takes a burst.
const QUEUE_BYTES_MIN: f64 = 65_536.0;
/// A full packet: CoDel never drops what only waits behind one.
const FULL_PACKET_BYTES: usize = 1_500;

/// A sender.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    /// None: unlimited, nothing waits.
    rate: Option<Rate>,
    codel: Option<Codel>,
    /// When the sender has serialised everything that it accepted. Invariant: never goes back.
    busy_until_ns: u64,
}

impl Sender {
    pub(super) fn of(shape: &LinkShape) -> Sender {
        let mut sender = Sender { rate: None, codel: None, busy_until_ns: 0 };
        sender.set(shape);
        sender
    }

    /// Takes another rate and queue; what was accepted is sent as it was accepted.
    pub(super) fn set(&mut self, shape: &LinkShape) {
        self.rate = Rate::of(shape);
        self.codel = match shape.queue {
            Queue::Tail => None,
            Queue::Codel(parameters) => {
                let mut codel = self.codel.take().unwrap_or_default();
                codel.set(parameters);
                Some(codel)
            }
        };
    }

    /// When the last bit of the packet is on the wire, or why it never is.
    pub(super) fn admit(&mut self, now_ns: u64, bytes: usize) -> Result<u64, Reason> {
        let Some(rate) = &self.rate else { return Ok(now_ns) };
        let start_ns = self.busy_until_ns.max(now_ns);
        let (wait_ns, own_ns) = (start_ns - now_ns, rate.time_ns(bytes));
        // A packet on an idle line needs no queue, however small the queue is.
        if wait_ns > 0 && wait_ns + own_ns > rate.queue_ns {
            return Err(Reason::QueueFull);
        }
        if let Some(codel) = &mut self.codel
            && codel.drops(start_ns, wait_ns, wait_ns > rate.time_ns(FULL_PACKET_BYTES))
        {
            return Err(Reason::Waited);
        }
        self.busy_until_ns = start_ns.saturating_add(own_ns);
        Ok(self.busy_until_ns)
    }
}

/// A rate and the queue before it, both as time.
#[derive(Clone, Debug)]
struct Rate {
    ns_per_byte: f64,
    /// Time that a full queue takes to drain.
    queue_ns: u64,
}

impl Rate {
    fn of(shape: &LinkShape) -> Option<Rate> {
        let mbit = shape.rate_mbit.filter(|mbit| *mbit > 0.0)?;
        let ns_per_byte = 8_000.0 / mbit;
        let bdp_bytes = shape.delay_ms * NS_PER_MS / ns_per_byte;
        let queue_bytes = match shape.queue_bytes {
            Some(bytes) => float(bytes),
            None => (1.5 * bdp_bytes).max(QUEUE_BYTES_MIN),
        };
        Some(Rate { ns_per_byte, queue_ns: whole(queue_bytes * ns_per_byte) })
    }

    /// Time to serialise so many bytes, rounded up: the rate is never exceeded.
    fn time_ns(&self, bytes: usize) -> u64 {
        whole((float(bytes) * self.ns_per_byte).ceil())
    }
}
