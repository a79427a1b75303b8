//! How exact links are: round-trip times against their configuration, lateness, the time of a change and of a start.

use std::time::Duration;

use farquorum_config::LinkShape;
use serde::Serialize;

use super::{host, inside, stopped, two_hosts};
use crate::clock;
use crate::error::LabError;
use crate::lab::{Lab, LabSpec};
use crate::ping::{PingOptions, ping};
use crate::selftest;
use crate::wan::Lateness;

/// Self-tests of one start.
const SELF_TESTS_MAX: usize = 5;

/// Round trips of one configured time.
#[derive(Clone, Debug, Serialize)]
pub struct RttError {
    /// Configured, milliseconds.
    pub configured_ms: f64,
    /// Median measured less configured, with the emulator's own time, milliseconds.
    pub error_ms: f64,
    /// Echoes that were answered.
    pub answered: usize,
}

/// Errors of several round-trip times, and how late packets were handed over meanwhile.
#[derive(Clone, Debug, Serialize)]
pub struct LabFigures {
    /// Median with no delay configured: what the hosts' own network stacks and the emulator's work take, milliseconds. It
    /// is part of every error below.
    pub floor_ms: f64,
    /// One for each configured time.
    pub rtts: Vec<RttError>,
    /// Over all of them.
    pub lateness: Lateness,
}

/// Measures each of these round-trip times by `echoes` echoes.
pub fn rtt_errors(rtts_ms: &[f64], echoes: u16) -> Result<LabFigures, LabError> {
    let lab = Lab::start(two_hosts(1.0))?;
    let (control, start) = (lab.control(), lab.control().lateness_mark().map_err(stopped)?);
    let ((target, _), (_, netns)) = (host(&lab, "east-11")?, host(&lab, "west-11")?);
    let address = target.address;
    let median = |configured_ms: f64| {
        let shape = LinkShape { delay_ms: configured_ms / 2.0, ..LinkShape::default() };
        for (from, to) in [("west", "east"), ("east", "west")] {
            control.set_link(from, to, shape.clone()).map_err(stopped)?;
        }
        let interval = Duration::from_millis(5);
        let options = PingOptions { count: echoes, interval, ..PingOptions::default() };
        let measured = inside(netns, "send echoes", move || ping(address, options, |_, _| {}))?;
        let mut answers: Vec<_> = measured.into_iter().flatten().collect();
        answers.sort();
        let median = answers.get(answers.len() / 2).copied().unwrap_or_default();
        Ok::<_, LabError>((median.as_secs_f64() * 1e3, answers.len()))
    };
    let (floor_ms, _) = median(0.0)?;
    let mut rtts = Vec::with_capacity(rtts_ms.len());
    for configured_ms in rtts_ms {
        let (median_ms, answered) = median(*configured_ms)?;
        rtts.push(RttError { configured_ms: *configured_ms, error_ms: median_ms - configured_ms, answered });
    }
    let lateness = control.lateness_since(&start).map_err(stopped)?;
    lab.stop();
    Ok(LabFigures { floor_ms, rtts, lateness })
}

/// How long each of `count` changes of a link took to be in force, microseconds, sorted.
pub fn changes_us(count: u16) -> Result<Vec<f64>, LabError> {
    let lab = Lab::start(two_hosts(1.0))?;
    let control = lab.control();
    let change = |number| {
        let shape = LinkShape { delay_ms: 1.0 + f64::from(number % 7), ..LinkShape::default() };
        let took = control.set_link("west", "east", shape).map_err(stopped)?;
        // Time for the WAN to fall asleep: a change that has to wake it is the slower one.
        std::thread::sleep(Duration::from_millis(2));
        Ok(took.as_secs_f64() * 1e6)
    };
    let mut took = (0..count).map(change).collect::<Result<Vec<_>, LabError>>()?;
    took.sort_by(f64::total_cmp);
    lab.stop();
    Ok(took)
}

/// How long a lab of nine hosts in three clouds takes until it carries packets and its self-test has passed: what a person
/// waits for. One that is not passed, on a busy machine, is taken again, as every start does.
pub fn lab_start() -> Result<Duration, LabError> {
    let rtts_ms = [("aws", "gcp", 50.0), ("aws", "azure", 75.0), ("gcp", "azure", 60.0)];
    let spec = LabSpec::sample(&[("aws", 10), ("gcp", 20), ("azure", 30)], 3, &rtts_ms);
    let start_ns = clock::now_ns();
    let lab = Lab::start(spec)?;
    for _try in 0..SELF_TESTS_MAX {
        if selftest::run(&lab)?.passed() {
            break;
        }
    }
    let took = Duration::from_nanos(clock::now_ns() - start_ns);
    lab.stop();
    Ok(took)
}
