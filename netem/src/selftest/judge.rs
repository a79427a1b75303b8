//! Whether measured times agree with a link's shape. Pure.
//!
//! The median may be off by max(0.3 ms, 1 %), over relays by max(1 ms, 1 %). Jitter widens this by three standard errors of a median (of as many
//! samples as are independent, since jitter has a memory), plus one standard deviation towards late (behind a slow
//! packet the others queue up: first in, first out; and two skewed directions have a later median than the sum of
//! theirs). Loss only takes probes away; that all of them are lost is a finding unless a cut or the configured loss
//! explains it, which is then said.

use std::time::Duration;

use super::echo::{PAYLOAD_BYTES, SPACING, Sample};
use super::{PairResult, Protocol};
use crate::wan::LinkReport;

/// Silence that is less likely than this by the configured loss is not by the configured loss.
const CHANCE_MIN: f64 = 1e-6;

/// The two links of a round trip, and the protocol of its packets.
pub(super) struct Expected<'a> {
    pub(super) protocol: Protocol,
    pub(super) there: &'a LinkReport,
    pub(super) back: &'a LinkReport,
}

/// Judges the answers of one pair, of which `sent` were asked for.
pub(super) fn judge(expected: &Expected<'_>, samples: &[Sample], sent: usize, floor: Sample) -> PairResult {
    let Expected { there, back, protocol } = expected;
    let round = Bound::of(&[there, back], *protocol, samples.len());
    let one_way = Bound::of(&[there], *protocol, samples.len());
    let measured_ms = median(samples.iter().map(|sample| sample.rtt_ns)).map(|ns| ms(ns) - ms(floor.rtt_ns));
    let there_ms =
        median(samples.iter().map(|sample| sample.one_way_ns)).map(|ns| ms(ns) - ms(floor.one_way_ns));
    let silence = if measured_ms.is_none() { explained_silence(expected, sent) } else { None };
    let problem = match (measured_ms, there_ms) {
        (Some(_), _) if there.cut || back.cut => Some("answers although the link is cut".to_string()),
        (Some(measured_ms), Some(there_ms)) => {
            round.problem("round trip", measured_ms).or_else(|| one_way.problem("one way", there_ms))
        }
        _ if silence.is_some() => None,
        _ => Some(format!("none of {sent} probes was answered")),
    };
    PairResult {
        from: there.from.clone(),
        to: there.to.clone(),
        configured_ms: round.configured_ms,
        measured_ms,
        ipv6_ms: None,
        error_ms: measured_ms.map(|measured_ms| measured_ms - round.configured_ms),
        allowed_ms: round.allowed_ms,
        ok: problem.is_none(),
        problem,
        note: silence.map(str::to_string),
    }
}

/// The configured time of a round trip.
pub(super) fn time_of(expected: &Expected<'_>) -> Duration {
    let bound = Bound::of(&[expected.there, expected.back], expected.protocol, 1);
    Duration::try_from_secs_f64(bound.configured_ms / 1e3).unwrap_or_default()
}

/// The emulator's own time: the medians of echoes inside a cloud, less the delay of its link.
pub(super) fn floor(samples: &[Sample], local_ms: f64) -> Sample {
    let floor = |pick: fn(&Sample) -> u64, times: f64| {
        median(samples.iter().map(pick)).map_or(0, |ns| less(ns, local_ms * 1e6 * times))
    };
    Sample { rtt_ns: floor(|sample| sample.rtt_ns, 2.0), one_way_ns: floor(|sample| sample.one_way_ns, 1.0) }
}

/// What a time should be, and how far it may be off.
struct Bound {
    configured_ms: f64,
    allowed_ms: f64,
    /// Further allowance towards late.
    late_ms: f64,
}

impl Bound {
    fn of(links: &[&LinkReport], protocol: Protocol, samples: usize) -> Bound {
        let time_ms = |(link, bytes): (&&LinkReport, f64)| {
            let bytes = bytes + protocol.header_bytes();
            link.shape.median_delay_ms() + link.shape.rate_mbit.map_or(0.0, |mbit| bytes * 8e-3 / mbit)
        };
        let configured_ms = links.iter().zip(PAYLOAD_BYTES).map(time_ms).sum::<f64>();
        let tolerance = protocol.tolerance();
        let jitter_ms = links.iter().map(|link| link.shape.jitter_deviation_ms().powi(2)).sum::<f64>().sqrt();
        let samples = independent(samples, links);
        // The standard error of a median is 1.25 times that of a mean.
        let widened_ms = 3.0 * 1.25 * jitter_ms / samples.sqrt();
        Bound {
            configured_ms,
            allowed_ms: (configured_ms * tolerance.share).max(tolerance.ms) + widened_ms,
            late_ms: jitter_ms,
        }
    }

    fn problem(&self, what: &str, measured_ms: f64) -> Option<String> {
        let error_ms = measured_ms - self.configured_ms;
        let figures = format!(
            "{what} of {measured_ms:.2} ms, configured {:.2} ms, allowed error {:.2} ms",
            self.configured_ms, self.allowed_ms
        );
        if error_ms < -self.allowed_ms {
            Some(format!("{figures}: packets take a path that is not shaped"))
        } else if error_ms > self.allowed_ms + self.late_ms {
            Some(format!("{figures}: the emulator is too late (is the machine overloaded?)"))
        } else {
            None
        }
    }
}

/// How many independent samples these are worth: jitter is remembered from probe to probe.
fn independent(samples: usize, links: &[&LinkReport]) -> f64 {
    let memory_ms = |link: &&LinkReport| link.shape.jitter.as_ref().map_or(0.0, |jitter| jitter.memory_ms);
    let memory_ms = links.iter().map(memory_ms).fold(0.0, f64::max);
    let correlation = if memory_ms > 0.0 { (-SPACING.as_secs_f64() * 1e3 / memory_ms).exp() } else { 0.0 };
    let samples = u32::try_from(samples.max(1)).map_or(f64::MAX, f64::from);
    (samples * (1.0 - correlation) / (1.0 + correlation)).max(1.0)
}

/// Why no probe needs to come back: a cut, or a configured loss that may well swallow every one.
fn explained_silence(expected: &Expected<'_>, sent: usize) -> Option<&'static str> {
    let links = [expected.there, expected.back];
    if links.iter().any(|link| link.cut || link.cut_host_pairs > 0) {
        return Some("cut");
    }
    let answered: f64 = links.iter().map(|link| 1.0 - link.shape.loss.share()).product();
    let silence = (1.0 - answered).powi(i32::try_from(sent).unwrap_or(i32::MAX));
    // Bursts make it likelier that one direction loses everything.
    let in_a_burst = links.map(|link| link.shape.loss.silence(u32::try_from(sent).unwrap_or(u32::MAX)));
    let likely = silence > CHANCE_MIN || in_a_burst.iter().any(|chance| *chance > CHANCE_MIN);
    likely.then_some("all probes lost, as the configured loss allows")
}

/// The middle value; none of nothing.
pub(super) fn median(values: impl Iterator<Item = u64>) -> Option<u64> {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

/// Nanoseconds to milliseconds; a time in a lab is far below 2^53 ns (104 days).
#[allow(clippy::as_conversions, reason = "integer to float has no other form for 64 bits")]
pub(super) fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// `ns` less a configured time, at least zero.
#[allow(clippy::as_conversions, reason = "float to integer has no other form; `as` saturates at zero")]
fn less(ns: u64, configured_ns: f64) -> u64 {
    ns.saturating_sub(configured_ns as u64)
}

#[cfg(test)]
mod tests {
    use farquorum_config::{Jitter, LinkShape, Loss};

    use super::*;
    use crate::wan::Counters;

    fn link(shape: LinkShape) -> LinkReport {
        let (from, to) = ("aws".to_string(), "gcp".to_string());
        LinkReport { from, to, shape, cut: false, cut_host_pairs: 0, counters: Counters::default() }
    }

    fn ipv4<'a>(there: &'a LinkReport, back: &'a LinkReport) -> Expected<'a> {
        Expected { there, back, protocol: Protocol::Ipv4 }
    }

    /// (delay, jitter, loss, cut, what was measured there and back, part of the problem or none).
    type Verdict = (f64, f64, f64, bool, Option<(f64, f64)>, Option<&'static str>);

    /// What is off for packets may be well for bytes, and has its bound too.
    #[test]
    fn relays_have_a_bound_of_their_own() {
        let there = link(LinkShape { delay_ms: 25.0, ..LinkShape::default() });
        let back = there.clone();
        let cases = [
            (50.8, Protocol::Ipv4, false),
            (50.8, Protocol::Stream, true),
            (51.1, Protocol::Stream, false),
            (48.9, Protocol::Stream, false),
        ];
        for (rtt_ms, protocol, ok) in cases {
            let rtt_ns = u64::try_from(Duration::from_secs_f64(rtt_ms / 1e3).as_nanos()).unwrap();
            let sample = Sample { rtt_ns, one_way_ns: rtt_ns / 2 };
            let expected = Expected { protocol, there: &there, back: &back };
            let result = judge(&expected, &[sample; 5], 5, Sample::default());
            assert_eq!(result.ok, ok, "{rtt_ms} {protocol:?}: {:?}", result.problem);
        }
    }

    #[test]
    fn verdicts() {
        let cases: &[Verdict] = &[
            (25.0, 0.0, 0.0, false, Some((25.1, 25.1)), None),
            (25.0, 0.0, 0.0, false, Some((25.2, 25.4)), Some("too late")),
            (25.0, 0.0, 0.0, false, Some((24.0, 25.0)), Some("not shaped")),
            (25.0, 0.0, 0.0, false, Some((0.0, 0.1)), Some("not shaped")),
            // Both directions are wrong and the sum is right.
            (25.0, 0.0, 0.0, false, Some((20.0, 30.0)), Some("one way")),
            (25.0, 2.0, 0.0, false, Some((26.0, 26.0)), None),
            (25.0, 2.0, 0.0, false, Some((45.0, 45.0)), Some("too late")),
            (25.0, 0.0, 0.0, false, None, Some("none of 5")),
            (25.0, 0.0, 0.9, false, None, None),
            (25.0, 0.0, 0.01, false, None, Some("none of 5")),
            (25.0, 0.0, 0.0, true, None, None),
            (25.0, 0.0, 0.0, true, Some((25.0, 25.0)), Some("although the link is cut")),
        ];
        for case in cases {
            let (delay_ms, jitter_ms, loss, cut, measured, problem) = *case;
            let jitter = (jitter_ms > 0.0).then(|| Jitter::normal(jitter_ms));
            let loss = Loss::Independent(loss);
            let mut there = link(LinkShape { delay_ms, jitter, loss, ..LinkShape::default() });
            there.cut = cut;
            let back = link(there.shape.clone());
            let ns = |ms: f64| u64::try_from(Duration::from_secs_f64(ms / 1e3).as_nanos()).unwrap();
            let sample = measured.map(|(a, b)| Sample { rtt_ns: ns(a + b), one_way_ns: ns(a) });
            let samples = vec![sample; 5].into_iter().flatten().collect::<Vec<_>>();
            let result = judge(&ipv4(&there, &back), &samples, 5, Sample::default());
            let found = result.problem.as_deref();
            let agrees = match problem {
                Some(part) => found.is_some_and(|found| found.contains(part)),
                None => found.is_none(),
            };
            let said = result.note.is_some();
            assert_eq!(said, measured.is_none() && problem.is_none(), "{case:?}: {:?}", result.note);
            assert!(agrees && result.ok == problem.is_none(), "{case:?}: {found:?}");
        }
    }

    #[test]
    fn the_rate_and_the_floor_are_accounted_for() {
        let slow = link(LinkShape { delay_ms: 10.0, rate_mbit: Some(0.1), ..LinkShape::default() });
        // 36 bytes at 100 kbit/s take 2.88 ms, 52 take 4.16 ms; 0.5 ms are the emulator's own.
        let sample = Sample { rtt_ns: 27_540_000, one_way_ns: 13_130_000 };
        let floor = Sample { rtt_ns: 500_000, one_way_ns: 250_000 };
        let result = judge(&ipv4(&slow, &slow), &[sample; 5], 5, floor);
        assert_eq!(result.problem, None);
        assert!((result.configured_ms - 27.04).abs() < 1e-9);
        // IPv6 headers are 20 bytes longer: 1.6 ms each way.
        let ipv6 = Expected { protocol: Protocol::Ipv6, ..ipv4(&slow, &slow) };
        assert!((judge(&ipv6, &[sample; 5], 5, floor).configured_ms - 30.24).abs() < 1e-9);
    }
}
