//! Packets that reach no link: why, how many, and how many of their senders were told. Pure; what the kernel drops before
//! the WAN reads it is added where that is read ([`super::control`]).

use serde::Serialize;

use super::icmp::Refusal;

/// Messages that one host gets per second, in the long run: what a traceroute of every host needs, and less than
/// would disturb what is measured.
const MESSAGES_PER_S: u64 = 100;
/// Messages that one host gets at once: traceroute sends 16 packets at a time, three times over.
const MESSAGES_AT_ONCE: u64 = 50;
const INTERVAL_NS: u64 = 1_000_000_000 / MESSAGES_PER_S;

/// Packets that went nowhere since the start, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Strays {
    /// Dropped by the kernel before the WAN read them, since the queue between a host and the WAN was full. Not part of
    /// the emulation: a run where this is not zero asks for more than the emulator can carry.
    pub before_wan: u64,
    /// The source was not the sender's own address.
    pub spoofed: u64,
    /// No host has the destination.
    pub unreachable: u64,
    /// No hop was left (TTL, hop limit).
    pub expired: u64,
    /// Longer than the MTU of the lab: its host has a larger one.
    pub too_big: u64,
    /// Multicast, or no IP: nobody in a lab listens to it.
    pub ignored: u64,
    /// Senders that were told by ICMP or ICMPv6.
    pub answered: u64,
}

/// Why a packet goes nowhere and nobody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stray {
    Spoofed,
    Ignored,
}

impl Strays {
    pub(super) fn count(&mut self, stray: Stray) {
        match stray {
            Stray::Spoofed => self.spoofed += 1,
            Stray::Ignored => self.ignored += 1,
        }
    }

    pub(super) fn refuse(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::Expired => self.expired += 1,
            Refusal::Unreachable => self.unreachable += 1,
            Refusal::TooBig(_) => self.too_big += 1,
        }
    }
}

/// How many messages one host may still get.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Allowance {
    /// When all messages so far are paid for, at one per interval.
    paid_ns: u64,
}

impl Allowance {
    /// Takes one message, if there is one left.
    pub(super) fn take(&mut self, now_ns: u64) -> bool {
        let start_ns = self.paid_ns.max(now_ns);
        let allowed = start_ns - now_ns <= (MESSAGES_AT_ONCE - 1) * INTERVAL_NS;
        if allowed {
            self.paid_ns = start_ns + INTERVAL_NS;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_a_rate() {
        let mut allowance = Allowance::default();
        let start_ns = 5_000_000_000;
        assert_eq!((0..200).filter(|_| allowance.take(start_ns)).count(), 50);
        // Every millisecond for two seconds.
        let asked = (1..=2_000).map(|ms| start_ns + ms * 1_000_000);
        assert_eq!(asked.filter(|now_ns| allowance.take(*now_ns)).count(), 200);
    }
}
