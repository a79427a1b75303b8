//! The delay of each packet: a distribution, and a memory.
//!
//! Behind every distribution stands one Gaussian process, an Ornstein-Uhlenbeck process: its values at two times `t`
//! apart are correlated by exp(-t / memory). A value becomes a cumulative share by the normal distribution function,
//! and the share a delay by the quantiles of the configured distribution (a Gaussian copula). So the distribution is
//! as configured whatever the packet rate, and packets that follow closely get nearly the same delay. Without a
//! memory, first in, first out would hold every packet back behind the slowest before it: at high packet rates jitter
//! would only add delay.
//!
//! The process is stepped by exactly one normal draw a packet.

use std::f64::consts::FRAC_1_SQRT_2;

use farquorum_config::{LinkShape, Spread};

use super::units::{NS_PER_MS, float, whole};

/// Delays of one direction.
#[derive(Clone, Debug)]
pub(super) struct Delays {
    delay_ns: f64,
    spread: Option<Spread>,
    memory_ns: f64,
    /// Time and value of the process at the last packet.
    last: Option<(u64, f64)>,
}

impl Delays {
    pub(super) fn of(shape: &LinkShape) -> Delays {
        let mut delays = Delays { delay_ns: 0.0, spread: None, memory_ns: 0.0, last: None };
        delays.set(shape);
        delays
    }

    /// Takes another shape; the process goes on, so that small changes of a shape make small changes of the delay.
    pub(super) fn set(&mut self, shape: &LinkShape) {
        self.delay_ns = shape.delay_ms * NS_PER_MS;
        self.spread = shape.jitter.as_ref().map(|jitter| jitter.spread.clone());
        self.memory_ns = shape.jitter.as_ref().map_or(0.0, |jitter| jitter.memory_ms * NS_PER_MS);
    }

    /// Delay of the packet at `now_ns`; `draw` is of the standard normal distribution.
    pub(super) fn next(&mut self, now_ns: u64, draw: f64) -> u64 {
        let normal = match self.last {
            Some((last_ns, last)) => {
                let kept = self.correlation(now_ns.saturating_sub(last_ns));
                kept * last + (1.0 - kept * kept).sqrt() * draw
            }
            None => draw,
        };
        self.last = Some((now_ns, normal));
        whole(self.delay_ns + self.extra_ns(normal))
    }

    /// Correlation of the process over a time.
    fn correlation(&self, apart_ns: u64) -> f64 {
        if self.memory_ns > 0.0 { (-float(apart_ns) / self.memory_ns).exp() } else { 0.0 }
    }

    fn extra_ns(&self, normal: f64) -> f64 {
        let extra_ms = match &self.spread {
            None => 0.0,
            Some(Spread::Normal { deviation_ms }) => deviation_ms * normal,
            Some(Spread::Uniform { half_width_ms }) => half_width_ms * (2.0 * share_below(normal) - 1.0),
            Some(Spread::Empirical(quantiles)) => quantiles.at(share_below(normal)),
        };
        extra_ms * NS_PER_MS
    }
}

/// The standard normal distribution function.
pub(super) fn share_below(normal: f64) -> f64 {
    0.5 * libm::erfc(-normal * FRAC_1_SQRT_2)
}
