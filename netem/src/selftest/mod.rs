//! The self-test at every start: echoes through the real path of every directed pair of clouds, and a look at every
//! host for a second way out. A lab that does not delay as configured is refused.
//!
//! Each pair sends a few probes; when the median is off, it sends more, since one busy moment of the machine is no
//! wrong link. The emulator's own time (two hosts of one cloud, less the configured delay) is measured first and
//! subtracted. Each direction is judged by itself too, since both hosts read the same clock: a round trip alone
//! could not tell the two directions apart. Times of arrival are the kernel's, so that a probing thread that waits for
//! its turn on a busy machine is no slow link.

mod echo;
mod judge;
mod protocol;
mod relayed;
mod stream;
mod ways;

use std::collections::BTreeMap;
use std::thread;

use serde::Serialize;

use crate::error::LabError;
use crate::lab::{HostSpec, Lab};
use crate::wan::{LinkReport, WanControl};
use echo::{Echo, Sample, exchange};
use judge::{Expected, judge};
use protocol::Protocol;
pub use relayed::run as run_relayed;
use ways::second_ways_of;

/// Probes of a round.
const PROBES: usize = 5;
/// Rounds at most; only a pair that is off goes beyond the first.
const ROUNDS_MAX: usize = 5;

/// One directed pair of clouds.
#[derive(Clone, Debug, Serialize)]
pub struct PairResult {
    /// Cloud that asks.
    pub from: String,
    /// Cloud that answers.
    pub to: String,
    /// Configured round trip: both directions.
    pub configured_ms: f64,
    /// Measured round trip, median, less the emulator's own time; none when nothing came back.
    pub measured_ms: Option<f64>,
    /// The same over IPv6; none when nothing came back, or the hosts have no IPv6.
    pub ipv6_ms: Option<f64>,
    /// Measured less configured.
    pub error_ms: Option<f64>,
    /// Largest error that passes.
    pub allowed_ms: f64,
    /// Whether the pair passes.
    pub ok: bool,
    /// What is wrong, in words.
    pub problem: Option<String>,
    /// Why nothing came back although the pair passes: it is cut, or its loss is high.
    pub note: Option<String>,
}

/// What the self-test found.
#[derive(Clone, Debug, Serialize)]
pub struct SelfTest {
    /// Every directed pair of clouds that have a host.
    pub pairs: Vec<PairResult>,
    /// The emulator's own time in a round trip, microseconds; 0 when no cloud has two hosts to measure it.
    pub floor_us: f64,
    /// Ways around the WAN: host and interface, or a connection past a relay.
    pub second_ways: Vec<String>,
}

impl SelfTest {
    /// Whether the lab is as configured.
    pub fn passed(&self) -> bool {
        self.second_ways.is_empty() && self.pairs.iter().all(|pair| pair.ok)
    }

    /// Everything that is wrong, one line each.
    pub fn problems(&self) -> Vec<String> {
        let pairs = self.pairs.iter().filter_map(|pair| {
            pair.problem.as_ref().map(|problem| format!("{} -> {}: {problem}", pair.from, pair.to))
        });
        self.second_ways.iter().cloned().chain(pairs).collect()
    }
}

/// Tests every directed pair of clouds and every host of a running lab, against the shapes in force.
pub fn run(lab: &Lab) -> Result<SelfTest, LabError> {
    let links = Links::of(&lab.control())?;
    let first = first_hosts(lab);
    let protocols = Protocol::of(lab);
    let echoes: Echoes<'_> = first
        .values()
        .flat_map(|host| protocols.iter().map(move |protocol| (host, *protocol)))
        .map(|(host, protocol)| {
            let echo = Echo::start(lab.netns_of(&host.name)?, protocol.address(host))?;
            Ok(((host.cloud.as_str(), protocol), echo))
        })
        .collect::<Result<BTreeMap<_, _>, LabError>>()?;
    let floor = measure_floor(lab, &links, &echoes)?;
    let mut second_ways = Vec::new();
    for host in &lab.spec().hosts {
        let machine = lab.spec().machines.contains(&host.name);
        second_ways.extend(second_ways_of(lab.netns_of(&host.name)?, &host.name, machine)?);
    }
    let tests = first
        .iter()
        .flat_map(|from| first.iter().filter(move |to| to.0 != from.0).map(move |to| (from, to)))
        .flat_map(|(from, to)| protocols.iter().map(move |protocol| (from, to, *protocol)));
    let results = thread::scope(|scope| {
        let running: Vec<_> = tests
            .enumerate()
            .filter_map(|(turn, ((from, host), (to, _), protocol))| {
                let (echo, links) = (echoes.get(&(*to, protocol))?, &links);
                Some(scope.spawn(move || test_pair(lab, links, (from, to), &host.name, echo, floor, turn)))
            })
            .collect();
        let panicked = |_| Err(LabError::Child("a thread of the self-test panicked".to_string()));
        running.into_iter().map(|test| test.join().unwrap_or_else(panicked)).collect::<Result<Vec<_>, _>>()
    })?;
    // Results of the same pair follow each other.
    let pairs = results.chunks(protocols.len()).filter_map(merge).collect();
    Ok(SelfTest { pairs, floor_us: judge::ms(floor.rtt_ns) * 1e3, second_ways })
}

/// One result of the results of each protocol, the first of which is IPv4.
fn merge(results: &[PairResult]) -> Option<PairResult> {
    let mut merged = results.first()?.clone();
    if let Some(ipv6) = results.get(1) {
        merged.ipv6_ms = ipv6.measured_ms;
        merged.ok &= ipv6.ok;
        let problem = ipv6.problem.as_ref().map(|problem| format!("IPv6: {problem}"));
        merged.note = merged.note.or_else(|| ipv6.note.clone());
        merged.problem = match (merged.problem.take(), problem) {
            (Some(ipv4), Some(ipv6)) => Some(format!("{ipv4}; {ipv6}")),
            (ipv4, ipv6) => ipv4.or(ipv6),
        };
    }
    Some(merged)
}

/// The responders: one in the first host of each cloud, for each protocol.
type Echoes<'a> = BTreeMap<(&'a str, Protocol), Echo>;

/// The first host of each cloud.
fn first_hosts(lab: &Lab) -> BTreeMap<&str, &HostSpec> {
    probing(lab).rev().map(|host| (host.cloud.as_str(), host)).collect()
}

/// Hosts that can send and answer probes: their address is in their namespace, not in a machine behind it.
fn probing(lab: &Lab) -> impl DoubleEndedIterator<Item = &HostSpec> {
    lab.spec().hosts.iter().filter(|host| !lab.spec().machines.contains(&host.name))
}

/// The links as they are now, by names.
struct Links(BTreeMap<(String, String), LinkReport>);

impl Links {
    fn of(control: &WanControl) -> Result<Links, LabError> {
        let links = control.links().map_err(|error| LabError::Child(error.to_string()))?;
        Ok(Links(links.into_iter().map(|link| ((link.from.clone(), link.to.clone()), link)).collect()))
    }

    fn expected(&self, from: &str, to: &str, protocol: Protocol) -> Result<Expected<'_>, LabError> {
        let one = |a: &str, b: &str| {
            let missing = || LabError::Spec(format!("link {a} -> {b} is not in the WAN"));
            self.0.get(&(a.to_string(), b.to_string())).ok_or_else(missing)
        };
        Ok(Expected { protocol, there: one(from, to)?, back: one(to, from)? })
    }
}

/// The emulator's own time: an echo between two hosts of one cloud, less the local link's delay.
fn measure_floor(lab: &Lab, links: &Links, echoes: &Echoes<'_>) -> Result<Sample, LabError> {
    let first = first_hosts(lab);
    let second =
        probing(lab).find(|host| first.get(host.cloud.as_str()).is_some_and(|other| *other != *host));
    let Some((host, echo)) =
        second.and_then(|host| Some((host, echoes.get(&(host.cloud.as_str(), Protocol::Ipv4))?)))
    else {
        return Ok(Sample::default());
    };
    let samples = exchange(lab.netns_of(&host.name)?, echo.address, PROBES, 0)?;
    let local = links.expected(&host.cloud, &host.cloud, Protocol::Ipv4)?.there;
    Ok(judge::floor(&samples, local.shape.median_delay_ms()))
}

/// Probes one pair until it passes, shows an unshaped path, or the rounds are used up.
fn test_pair(
    lab: &Lab,
    links: &Links,
    (from, to): (&str, &str),
    host: &str,
    echo: &Echo,
    floor: Sample,
    turn: usize,
) -> Result<PairResult, LabError> {
    let expected = links.expected(from, to, echo.protocol())?;
    in_rounds(&expected, floor, || exchange(lab.netns_of(host)?, echo.address, PROBES, turn))
}

/// Asks for more and more samples of a pair, [`PROBES`] at a time, until they settle it.
fn in_rounds(
    expected: &Expected<'_>,
    floor: Sample,
    ask: impl Fn() -> Result<Vec<Sample>, LabError>,
) -> Result<PairResult, LabError> {
    let mut samples = Vec::new();
    let mut result = None;
    for round in 1..=ROUNDS_MAX {
        samples.extend(ask()?);
        let judged = judge(expected, &samples, PROBES * round, floor);
        let settled = judged.ok || judged.error_ms.is_some_and(|error| error < -judged.allowed_ms);
        result = Some(judged);
        if settled {
            break;
        }
    }
    result.ok_or_else(|| LabError::Child("the self-test sent no probe".to_string()))
}
