//! What a directed link does to packets, as types in which no combination is without meaning. `keys` is the same as a
//! person writes it: optional keys, the rules between them, and the way there and back (`meaning`).
//!
//! Limits: one delay, one kind of jitter and one kind of loss for each direction; what changes over time is a trace
//! or a scenario.

mod keys;
mod meaning;
pub(crate) mod quantiles;
mod rules;

use serde::Serialize;

pub use keys::{GilbertKeys, ShapeError, ShapeKeys};
pub use quantiles::{Quantiles, QuantilesError};
pub(crate) use rules::broken;

/// What a directed link does to packets. Serialised as its keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(into = "ShapeKeys")]
pub struct LinkShape {
    /// One-way delay, 0 to 60,000 ms; jitter is added to it.
    pub delay_ms: f64,
    /// How the delay varies; none: not at all.
    pub jitter: Option<Jitter>,
    /// Which packets are lost.
    pub loss: Loss,
    /// Rate in Mbit/s; none: unlimited.
    pub rate_mbit: Option<f64>,
    /// Bytes that may wait for the rate; none: 1.5 x rate x delay, at least 64 KiB. Only with a rate.
    pub queue_bytes: Option<u64>,
    /// How the queue before the rate drops.
    pub queue: Queue,
    /// Share of packets that overtake the ones before them, 0 to 1.
    pub reorder: f64,
    /// Share of packets that arrive twice, 0 to 1.
    pub duplicate: f64,
    /// Share of packets that arrive with one bit flipped behind their IP header, 0 to 1.
    pub corrupt: f64,
}

impl LinkShape {
    /// The delay that half of the packets stay below.
    pub fn median_delay_ms(&self) -> f64 {
        self.delay_ms + self.jitter.as_ref().map_or(0.0, |jitter| jitter.spread.median_ms())
    }

    /// Standard deviation of the delay.
    pub fn jitter_deviation_ms(&self) -> f64 {
        self.jitter.as_ref().map_or(0.0, |jitter| jitter.spread.deviation_ms())
    }

    /// What jitter adds to the delay of all but the slowest packets: two standard deviations of a normal one, and
    /// what the same share of packets (97.7 %) stays below in the others. For timeouts.
    pub fn jitter_allowance_ms(&self) -> f64 {
        self.jitter.as_ref().map_or(0.0, |jitter| jitter.spread.allowance_ms())
    }
}

/// How the delay varies from packet to packet.
#[derive(Clone, Debug, PartialEq)]
pub struct Jitter {
    /// Which delays there are, and how often.
    pub spread: Spread,
    /// How long a delay is remembered, 0 to 600,000 ms: packets that are this far apart are correlated by 1/e (before
    /// the spread is applied), closer ones more. 0: each packet by itself.
    pub memory_ms: f64,
}

/// Default of the memory of jitter, in multiples of its size: packets that follow closely get nearly the same delay,
/// so that first in, first out moves the distribution by no more than a tenth of that size.
const MEMORY_SIZES: f64 = 10.0;

impl Jitter {
    /// Jitter with the default memory: ten times its size.
    pub fn new(spread: Spread) -> Self {
        let memory_ms = MEMORY_SIZES * spread.size_ms();
        Self { spread, memory_ms }
    }

    /// Normal jitter of this standard deviation, with the default memory.
    pub fn normal(deviation_ms: f64) -> Self {
        Self::new(Spread::Normal { deviation_ms })
    }

    /// The same jitter with another memory.
    #[must_use]
    pub fn with_memory(self, memory_ms: f64) -> Self {
        Self { memory_ms, ..self }
    }
}

/// The distribution of jitter.
#[derive(Clone, Debug, PartialEq)]
pub enum Spread {
    /// Normal around the delay; what would be below zero is zero.
    Normal {
        /// Standard deviation, above 0 and at most the delay.
        deviation_ms: f64,
    },
    /// Uniform around the delay.
    Uniform {
        /// Half of the width, above 0 and at most the delay.
        half_width_ms: f64,
    },
    /// As measured: what is added to the delay, by cumulative share.
    Empirical(Quantiles),
}

impl Spread {
    /// The figure that a person means by "how much jitter": jitter_ms, or the 90th percentile above the median.
    fn size_ms(&self) -> f64 {
        match self {
            Self::Normal { deviation_ms } => *deviation_ms,
            Self::Uniform { half_width_ms } => *half_width_ms,
            Self::Empirical(quantiles) => quantiles.at(0.9) - quantiles.at(0.5),
        }
    }

    fn median_ms(&self) -> f64 {
        match self {
            Self::Normal { .. } | Self::Uniform { .. } => 0.0,
            Self::Empirical(quantiles) => quantiles.at(0.5),
        }
    }

    fn deviation_ms(&self) -> f64 {
        match self {
            Self::Normal { deviation_ms } => *deviation_ms,
            Self::Uniform { half_width_ms } => half_width_ms / 3.0_f64.sqrt(),
            Self::Empirical(quantiles) => quantiles.deviation(),
        }
    }

    fn allowance_ms(&self) -> f64 {
        // Share of a normal distribution below two standard deviations.
        const TWO_DEVIATIONS: f64 = 0.977;
        match self {
            Self::Normal { deviation_ms } => 2.0 * deviation_ms,
            Self::Uniform { half_width_ms } => (2.0 * TWO_DEVIATIONS - 1.0) * half_width_ms,
            Self::Empirical(quantiles) => quantiles.at(TWO_DEVIATIONS),
        }
    }
}

/// Which packets are lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// Each with this chance, 0 to 1, whatever happened to the others.
    Independent(f64),
    /// In bursts.
    Gilbert(Gilbert),
}

impl Default for Loss {
    fn default() -> Self {
        Self::Independent(0.0)
    }
}

impl Loss {
    /// Share of packets lost in the long run.
    pub fn share(&self) -> f64 {
        match self {
            Self::Independent(share) => *share,
            Self::Gilbert(gilbert) => {
                let bad = gilbert.share_bad();
                bad * gilbert.lost_in_bad + (1.0 - bad) * gilbert.lost_in_good
            }
        }
    }

    /// Chance that so many packets in a row are all lost.
    pub fn silence(&self, packets: u32) -> f64 {
        match self {
            Self::Independent(share) => share.powi(i32::try_from(packets).unwrap_or(i32::MAX)),
            Self::Gilbert(gilbert) => gilbert.silence(packets),
        }
    }
}

/// The model of Gilbert and Elliott (E. O. Elliott, "Estimates of error rates for codes on burst-noise channels",
/// 1963): a good and a bad state, which each packet may change. netem: `gemodel p r 1-h 1-k`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gilbert {
    /// Chance that a packet is the last one in the good state, 0 to 1.
    pub enter: f64,
    /// Chance that a packet is the last one in the bad state, above 0, to 1: a bad time is 1/leave packets long on
    /// average.
    pub leave: f64,
    /// Share of packets lost in the bad state, 0 to 1.
    pub lost_in_bad: f64,
    /// Share of packets lost in the good state, 0 to 1.
    pub lost_in_good: f64,
}

impl Gilbert {
    /// Share of packets that find the bad state.
    pub fn share_bad(&self) -> f64 {
        if self.enter > 0.0 { self.enter / (self.enter + self.leave) } else { 0.0 }
    }

    /// Chance that so many packets in a row are all lost: the two states stepped one packet at a time.
    fn silence(&self, packets: u32) -> f64 {
        let (mut good, mut bad) = (1.0 - self.share_bad(), self.share_bad());
        for _ in 0..packets {
            let (lost_good, lost_bad) = (good * self.lost_in_good, bad * self.lost_in_bad);
            good = lost_good * (1.0 - self.enter) + lost_bad * self.leave;
            bad = lost_good * self.enter + lost_bad * (1.0 - self.leave);
        }
        good + bad
    }
}

/// How the queue before the rate drops packets. Its length is bounded in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Queue {
    /// A packet that finds no room is dropped.
    #[default]
    Tail,
    /// Packets that waited too long for too long are dropped as well (RFC 8289). Only with a rate.
    Codel(Codel),
}

/// The two parameters of CoDel (RFC 8289, section 4.2 and 4.3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Codel {
    /// Waiting time that is accepted as standing, 0.01 to 10,000 ms and at most the interval.
    pub target_ms: f64,
    /// How long the waiting time may be above the target before a packet is dropped, 0.01 to 60,000 ms.
    pub interval_ms: f64,
}

impl Default for Codel {
    fn default() -> Self {
        Self { target_ms: 5.0, interval_ms: 100.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_of_bursts_is_likelier_than_of_single_losses() {
        let burst = Gilbert { enter: 0.01, leave: 0.1, lost_in_bad: 1.0, lost_in_good: 0.0 };
        let (bursts, single) = (Loss::Gilbert(burst), Loss::Independent(Loss::Gilbert(burst).share()));
        assert!((bursts.share() - 1.0 / 11.0).abs() < 1e-12);
        assert!((bursts.silence(1) - single.silence(1)).abs() < 1e-12);
        // A bad state that nine packets did not leave.
        assert!((bursts.silence(10) - 0.9_f64.powi(9) / 11.0).abs() < 1e-12);
        assert!(single.silence(10) < 1e-9);
        assert_eq!(Loss::Gilbert(Gilbert { enter: 0.0, leave: 0.0, ..burst }).share(), 0.0);
    }

    #[test]
    fn jitter_in_figures() {
        let table = Quantiles::new(vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 30.0]).unwrap();
        // Spread -> median above the delay, deviation, memory.
        let cases = [
            (Spread::Normal { deviation_ms: 2.0 }, 0.0, 2.0, 20.0),
            (Spread::Uniform { half_width_ms: 3.0 }, 0.0, 3.0_f64.sqrt(), 30.0),
            (Spread::Empirical(table), 5.0, 30.0_f64.sqrt(), 40.0),
        ];
        for (spread, median, deviation, memory) in cases {
            let shape =
                LinkShape { delay_ms: 10.0, jitter: Some(Jitter::new(spread)), ..LinkShape::default() };
            assert_eq!(shape.median_delay_ms(), 10.0 + median, "{shape:?}");
            assert!((shape.jitter_deviation_ms() - deviation).abs() < 1e-3, "{shape:?}");
            assert_eq!(shape.jitter.map(|jitter| jitter.memory_ms), Some(memory));
        }
    }
}
