//! From the steps of a scenario to what is asked of the supervisor, and when. Pure.

use std::time::Duration;

use farquorum_config::ShapeKeys;

use super::script::{Action, Expectation, Flap, Ramp, Script};
use crate::sim::protocol::Request;

/// Time between two changes of a ramp: shorter than anything above the network notices, and 36,000 in an hour.
const RAMP_STEP: Duration = Duration::from_millis(100);

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Timed {
    /// After the start.
    pub(crate) at: Duration,
    /// What.
    pub(crate) act: Act,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Act {
    /// Ask the supervisor. A host `leader` is still to be named.
    Ask(Request),
    /// See whether this holds.
    Expect(Expectation),
}

/// Everything that a scenario does, by time; at the same time, in the order of the file.
pub(crate) fn expand(script: &Script) -> Vec<Timed> {
    let mut all: Vec<Timed> = Vec::new();
    for step in &script.steps {
        let at = step.at;
        let mut one = |act| all.push(Timed { at, act });
        match step.action.clone() {
            Action::Link(change) => {
                change_both(&change.between, &change.set.0).into_iter().for_each(one);
            }
            Action::Isolate(name) => one(Act::Ask(Request::Isolate { name })),
            Action::Heal(name) => {
                let from = (name != "all").then_some(name);
                one(Act::Ask(Request::Heal { from, to: None }));
            }
            Action::Kill(host) => one(Act::Ask(Request::Kill { host })),
            Action::Pause(host) => one(Act::Ask(Request::Pause { host })),
            Action::Resume(host) => one(Act::Ask(Request::Resume { host })),
            Action::Restart(host) => one(Act::Ask(Request::Restart { host })),
            Action::Expect(expectation) => one(Act::Expect(expectation)),
            Action::Ramp(ramp) => all.extend(ramp_up(at, &ramp)),
            Action::Flap(flap) => all.extend(flaps(at, &flap)),
        }
    }
    all.sort_by_key(|timed| timed.at);
    all
}

fn change_both(between: &[String; 2], keys: &ShapeKeys) -> Vec<Act> {
    let change = |from: &String, to: &String| {
        let change = Box::new(keys.clone());
        Act::Ask(Request::Link { from: from.clone(), to: to.clone(), change })
    };
    let [a, b] = between;
    vec![change(a, b), change(b, a)]
}

/// The first value at once, the last at the end.
fn ramp_up(start: Duration, ramp: &Ramp) -> Vec<Timed> {
    let (over, change_ms) = (ramp.over_s.0, ramp.to_rtt_ms.0 - ramp.from_rtt_ms.0);
    let steps = u32::try_from(over.as_millis().div_ceil(RAMP_STEP.as_millis())).unwrap_or(u32::MAX).max(1);
    let mut all = Vec::new();
    for step in 0..=steps {
        let done = f64::from(step) / f64::from(steps);
        let delay_ms = Some((ramp.from_rtt_ms.0 + change_ms * done) / 2.0);
        let acts = change_both(&ramp.between, &ShapeKeys { delay_ms, ..ShapeKeys::default() });
        all.extend(acts.into_iter().map(|act| Timed { at: start + over.mul_f64(done), act }));
    }
    all
}

fn flaps(start: Duration, flap: &Flap) -> Vec<Timed> {
    let [a, b] = &flap.between;
    let mut all = Vec::new();
    for time in 0..u32::from(flap.times.get()) {
        let cut_at = start + (flap.down_s.0 + flap.up_s.0) * time;
        for (from, to) in [(a, b), (b, a)] {
            let (from, to) = (from.clone(), to.clone());
            let heal = Request::Heal { from: Some(from.clone()), to: Some(to.clone()) };
            all.push(Timed { at: cut_at, act: Act::Ask(Request::Cut { from, to }) });
            all.push(Timed { at: cut_at + flap.down_s.0, act: Act::Ask(heal) });
        }
    }
    all
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;
