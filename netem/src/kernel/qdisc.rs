//! netem as the kernel takes it (linux/pkt_sched.h, linux/rtnetlink.h): the request that adds or changes one, and its
//! counters.
//!
//! Every request says everything, because a change keeps what it does not mention: a table of jitter, for one, would
//! outlive the jitter that it was for.

use std::io;

use crate::netlink::{Attributes, CREATE_EXCL, Message, Socket, c_string};

const RTM_NEWQDISC: u16 = 36;
const RTM_GETQDISC: u16 = 38;
const ROOT: u32 = 0xffff_ffff;
/// `1:` in the words of `tc`. A change names it, so it can only ever meet our own netem.
const HANDLE: u32 = 1 << 16;
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_STATS2: u16 = 7;
const TCA_STATS_BASIC: u16 = 1;
const TCA_STATS_QUEUE: u16 = 3;
const NETEM_DELAY_DIST: u16 = 2;
const NETEM_LOSS: u16 = 5;
const NETEM_LOSS_GE: u16 = 2;
const NETEM_RATE: u16 = 6;
const NETEM_RATE64: u16 = 8;
const NETEM_LATENCY64: u16 = 10;
const NETEM_JITTER64: u16 = 11;
const NETEM_PRNG_SEED: u16 = 14;
/// A tick of the older fields, nanoseconds.
const TICK_NS: u64 = 64;
/// Size of `struct tcmsg`.
const TCMSG_BYTES: usize = 20;
/// The Ethernet header is part of what netem counts, and no part of an IP packet.
const ETHERNET_BYTES: u32 = 14;

/// All that a netem is told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Netem {
    pub(super) delay_ns: u64,
    /// What one unit of the table means, nanoseconds; 0: no jitter. At most 2^31: the kernel computes with 32 bits.
    pub(super) jitter_ns: u32,
    /// Values of equal chance, in 8192nds of `jitter_ns`.
    pub(super) table: Vec<i16>,
    pub(super) loss: NetemLoss,
    /// Share of packets that are doubled.
    pub(super) duplicate: f64,
    /// Bytes per second.
    pub(super) rate: u64,
    /// Packets that it holds, waiting or on the line; one more is dropped.
    pub(super) limit: u32,
    /// Kernels since 6.6 draw from this; older ones skip it.
    pub(super) seed: u64,
}

/// Which packets netem loses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum NetemLoss {
    /// Each with this chance.
    Share(f64),
    /// Gilbert-Elliott: two chances to change the state, two to lose a packet.
    Gilbert { enter: f64, leave: f64, lost_in_bad: f64, lost_in_good: f64 },
}

/// What passed a netem since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) packets: u64,
    /// With IP headers, without Ethernet's.
    pub(super) bytes: u64,
    pub(super) dropped: u64,
    /// Waiting or on the line.
    pub(super) inside: u64,
}

impl Netem {
    /// Adds it to an interface, which must have none.
    pub(super) fn add(&self, socket: &mut Socket, interface: u32) -> io::Result<()> {
        socket.change(&self.message(CREATE_EXCL, interface))
    }

    /// Changes the netem of an interface in place: packets inside keep their time, and there is no moment without.
    pub(super) fn change(&self, socket: &mut Socket, interface: u32) -> io::Result<()> {
        socket.change(&self.message(0, interface))
    }

    fn message(&self, flags: u16, interface: u32) -> Message {
        let mut message = Message::new(RTM_NEWQDISC, flags, &tcmsg(interface, HANDLE, ROOT));
        message.attribute(TCA_KIND, &c_string("netem"));
        message.nest(TCA_OPTIONS, &self.head(), |options| {
            options.attribute(NETEM_LATENCY64, &self.delay_ns.to_ne_bytes());
            options.attribute(NETEM_JITTER64, &u64::from(self.jitter_ns).to_ne_bytes());
            let table: Vec<u8> = self.table.iter().flat_map(|value| value.to_ne_bytes()).collect();
            options.attribute(NETEM_DELAY_DIST, &table);
            if let NetemLoss::Gilbert { enter, leave, lost_in_bad, lost_in_good } = self.loss {
                let shares = [enter, leave, 1.0 - lost_in_bad, lost_in_good].map(chance);
                let model: Vec<u8> = shares.iter().flat_map(|share| share.to_ne_bytes()).collect();
                options.nest(NETEM_LOSS, &[], |loss| loss.attribute(NETEM_LOSS_GE, &model));
            }
            options.attribute(NETEM_RATE64, &self.rate.to_ne_bytes());
            options.attribute(NETEM_RATE, &self.rate_head());
            options.attribute(NETEM_PRNG_SEED, &self.seed.to_ne_bytes());
        });
        message
    }

    /// `struct tc_netem_qopt`: latency, limit, loss, gap, duplicate, jitter.
    fn head(&self) -> Vec<u8> {
        let ticks = |ns: u64| u32::try_from(ns / TICK_NS).unwrap_or(u32::MAX);
        let loss = match self.loss {
            NetemLoss::Share(share) => chance(share),
            NetemLoss::Gilbert { .. } => 0,
        };
        let fields = [
            ticks(self.delay_ns),
            self.limit,
            loss,
            0,
            chance(self.duplicate),
            ticks(u64::from(self.jitter_ns)),
        ];
        fields.iter().flat_map(|field| field.to_ne_bytes()).collect()
    }

    /// `struct tc_netem_rate`: rate, bytes added to each packet, cell size, bytes added to each cell. All ones stand
    /// for a rate that needs 64 bits.
    fn rate_head(&self) -> Vec<u8> {
        let rate = u32::try_from(self.rate).unwrap_or(u32::MAX);
        [rate, ETHERNET_BYTES.wrapping_neg(), 0, 0].iter().flat_map(|field| field.to_ne_bytes()).collect()
    }
}

/// The netems of a network namespace: interface, what passed.
pub(super) fn passed(socket: &mut Socket) -> io::Result<Vec<(u32, Passed)>> {
    let answers = socket.ask(&Message::dump(RTM_GETQDISC, &tcmsg(0, 0, 0)))?;
    Ok(answers.iter().filter_map(|answer| read(answer)).collect())
}

fn read(answer: &[u8]) -> Option<(u32, Passed)> {
    let (head, rest) = answer.split_at_checked(TCMSG_BYTES)?;
    let attributes = Attributes::of(rest);
    if attributes.find(TCA_KIND)? != c_string("netem") {
        return None;
    }
    let interface = head.get(4..8)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))?;
    let stats = Attributes::of(attributes.find(TCA_STATS2)?);
    // `struct gnet_stats_basic`: bytes (64 bits), packets. `struct gnet_stats_queue`: length, backlog, drops.
    let basic = stats.find(TCA_STATS_BASIC)?;
    let queue = stats.find(TCA_STATS_QUEUE)?;
    let field = |bytes: &[u8], at: usize| {
        bytes.get(at..)?.first_chunk().map(|bytes| u64::from(u32::from_ne_bytes(*bytes)))
    };
    let packets = field(basic, 8)?;
    let bytes = basic.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes))?;
    let bytes = bytes.saturating_sub(packets * u64::from(ETHERNET_BYTES));
    Some((interface, Passed { packets, bytes, dropped: field(queue, 8)?, inside: field(queue, 0)? }))
}

/// `struct tcmsg`: family with padding, interface, handle, parent, info.
fn tcmsg(interface: u32, handle: u32, parent: u32) -> Vec<u8> {
    [0, interface, handle, parent, 0].iter().flat_map(|field: &u32| field.to_ne_bytes()).collect()
}

/// A share as the kernel has it: 0 never, all ones always.
#[allow(clippy::as_conversions, reason = "float to integer has no other form; `as` saturates")]
fn chance(share: f64) -> u32 {
    (share * f64::from(u32::MAX)).round() as u32
}

#[cfg(test)]
#[path = "qdisc_tests.rs"]
mod tests;
