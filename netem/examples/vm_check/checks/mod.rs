//! The checks, each of which gives figures. All of them are made of trains of packets; the shapes are changed while the
//! lab runs, so every check is also one of changing in place.

mod changes;
mod edges;
mod overload;
mod random;

use farquorum_netem::lab::Lab;
use farquorum_netem::selftest;

use crate::Outcome;
use crate::figure::Figure;
use crate::network::DELAYS;
use crate::train::{self, Arrival, Train};

/// The pair of hosts on which shapes are tried, and the delay that its link has otherwise.
const WAY: (&str, &str) = ("aws-11", "gcp-11");
const DELAY_MS: f64 = 25.0;
/// Packets on a link that nobody here sent: the kernel's own reports of IPv6 multicast groups.
const EXTRA_MAX: f64 = 3.0;

/// All checks on a running lab.
pub(crate) fn all(lab: &Lab) -> Outcome<Vec<Figure>> {
    let problems = selftest::run(lab)?.problems();
    problems.iter().for_each(|problem| println!("self-test: {problem}"));
    let mut figures = vec![Figure::exact("problems of the self-test", 0, u64::try_from(problems.len())?)];
    let inside = train::run(lab, ("aws-11", "aws-12"), Train::of(60, 5), || Ok(()))?;
    let floor_ms = median(&inside);
    println!("time of the emulation itself, inside a cloud: {floor_ms:.3} ms");
    let checks = [
        delays,
        random::jitter,
        random::losses,
        random::doubles,
        overload::overload,
        changes::live_change,
        changes::cuts,
        edges::edges,
    ];
    for check in checks {
        figures.extend(check(lab, floor_ms)?);
    }
    Ok(figures)
}

/// The median of every directed link, within max(0.3 ms, 1 %), and the packets that it counted.
fn delays(lab: &Lab, floor_ms: f64) -> Outcome<Vec<Figure>> {
    const PACKETS: u64 = 40;
    let mut figures = Vec::new();
    let families = DELAYS.into_iter().flat_map(|link| [(link, false), (link, true)]);
    for ((from, to, delay_ms), ipv6) in families {
        let before = delivered(lab, from, to)?;
        let hosts = (format!("{from}-11"), format!("{to}-12"));
        let arrivals =
            train::run(lab, (&hosts.0, &hosts.1), Train { ipv6, ..Train::of(PACKETS, 5) }, || Ok(()))?;
        let off_ms = (delay_ms * 0.01).max(0.3);
        let measured_ms = median(&arrivals) - floor_ms;
        let family = if ipv6 { "IPv6" } else { "IPv4" };
        let what = format!("delay {from} -> {to}, {family}");
        figures.push(Figure { median: true, ..Figure::new(what, "ms", delay_ms, measured_ms, off_ms) });
        let what = format!("delivered {from} -> {to}, {family}");
        let counted = Figure::exact(&what, PACKETS, delivered(lab, from, to)? - before);
        let [least, most] = counted.allowed;
        figures.push(Figure { allowed: [least, most + EXTRA_MAX], ..counted });
    }
    Ok(figures)
}

fn delivered(lab: &Lab, from: &str, to: &str) -> Outcome<u64> {
    let links = lab.control().links()?;
    let link = links.into_iter().find(|link| link.from == from && link.to == to).ok_or("no such link")?;
    Ok(link.counters.delivered)
}

fn median(arrivals: &[Arrival]) -> f64 {
    quantile(arrivals, 0.5)
}

/// The delay that this share of the packets stays below, ms; not a number when nothing arrived.
#[allow(clippy::as_conversions, reason = "float to integer has no other form; `as` saturates")]
fn quantile(arrivals: &[Arrival], share: f64) -> f64 {
    let mut times: Vec<_> = arrivals.iter().map(Arrival::delay_ms).collect();
    times.sort_by(f64::total_cmp);
    times.get((share * float(times.len())) as usize).copied().unwrap_or(f64::NAN)
}

fn overtaken(arrivals: &[Arrival]) -> u64 {
    let pairs = arrivals.iter().zip(arrivals.iter().skip(1));
    pairs.map(|(one, next)| u64::from(next.number < one.number)).sum()
}

#[allow(clippy::as_conversions, reason = "integer to float has no other form for 64 bits")]
fn float(count: impl TryInto<u64>) -> f64 {
    count.try_into().unwrap_or(u64::MAX) as f64
}
