//! The self-test over relays: the same question as for packets, asked by bytes of TCP connections, and a look for
//! connections that pass no relay.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::echo::Sample;
use super::judge::{self, Expected};
use super::protocol::Protocol;
use super::{Links, PROBES, PairResult, SelfTest, in_rounds, stream};
use crate::error::LabError;
use crate::lab::HostSpec;
use crate::relay::Relays;
use crate::relay::probe::{PORT, first_hosts, neighbours};

/// Time beyond the configured round trip that a probe may take: longer than any queue worth emulating, and what a
/// test of a cut link takes.
const PATIENCE: Duration = Duration::from_millis(500);

/// Tests every directed pair of clouds against the shapes in force, and looks for ways past the relays.
pub fn run(relays: &Relays) -> Result<SelfTest, LabError> {
    let links = Links::of(&relays.control())?;
    let service = relays.echo();
    let stop = AtomicBool::new(false);
    let (pairs, floor) = thread::scope(|scope| {
        let responder = scope.spawn(|| stream::respond(&service, &stop));
        let result = measure(relays, &links);
        stop.store(true, Ordering::Relaxed);
        let panicked = |_| Err(LabError::Child("the self-test's responder panicked".to_string()));
        responder.join().unwrap_or_else(panicked)?;
        result
    })?;
    Ok(SelfTest { pairs, floor_us: judge::ms(floor.rtt_ns) * 1e3, second_ways: relays.bypasses()? })
}

fn measure(relays: &Relays, links: &Links) -> Result<(Vec<PairResult>, Sample), LabError> {
    let floor = measure_floor(relays, links)?;
    let first = first_hosts(relays.spec());
    let pairs = first.values().flat_map(|from| {
        let others = first.values().filter(move |to| to.cloud != from.cloud);
        others.map(move |to| (*from, *to))
    });
    let results = thread::scope(|scope| {
        let test = |(turn, (from, to)): (usize, (&HostSpec, &HostSpec))| {
            let (from, to) = (from.clone(), to.clone());
            scope.spawn(move || {
                let expected = links.expected(&from.cloud, &to.cloud, Protocol::Stream)?;
                in_rounds(&expected, floor, || ask(relays, &from, &to, &expected, turn))
            })
        };
        let running: Vec<_> = pairs.enumerate().map(test).collect();
        let panicked = |_| Err(LabError::Child("a thread of the self-test panicked".to_string()));
        running.into_iter().map(|test| test.join().unwrap_or_else(panicked)).collect::<Result<Vec<_>, _>>()
    })?;
    Ok((results, floor))
}

fn ask(
    relays: &Relays,
    from: &HostSpec,
    to: &HostSpec,
    expected: &Expected<'_>,
    turn: usize,
) -> Result<Vec<Sample>, LabError> {
    let missing = || LabError::Spec(format!("the self-test has no relay from {} to {}", from.name, to.name));
    let address = relays.address(&from.name, &to.name, PORT).ok_or_else(missing)?;
    stream::exchange(address, PROBES, judge::time_of(expected) + PATIENCE, turn)
}

/// The emulator's own time: an echo between two hosts of one cloud, less the local link's delay.
fn measure_floor(relays: &Relays, links: &Links) -> Result<Sample, LabError> {
    let Some((from, to)) = neighbours(relays.spec()) else { return Ok(Sample::default()) };
    let expected = links.expected(&from.cloud, &to.cloud, Protocol::Stream)?;
    let samples = ask(relays, from, to, &expected, 0)?;
    Ok(judge::floor(&samples, expected.there.shape.median_delay_ms()))
}
