//! From the steps of a scenario to what is asked of the supervisor, and when. Pure.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::iter::{self, Peekable};
use std::time::Duration;

use farquorum_config::ShapeKeys;

use super::script::{Action, Expectation, Flap, Healed, Ramp, Script, Step, Way};
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

/// Everything that a scenario does, by time; at the same time, in the order of the file. Made as it is asked for: a
/// thousand ramps of a day are 1.7 billion changes.
pub(crate) fn expand(script: &Script) -> impl Iterator<Item = Timed> {
    let mut sources: Vec<Peekable<Source>> =
        script.steps.iter().map(|step| source(step).peekable()).collect();
    let first = |(place, source): (usize, &mut Peekable<Source>)| Some(Reverse((source.peek()?.at, place)));
    let next = sources.iter_mut().enumerate().filter_map(first).collect();
    ByTime { sources, next }
}

/// What one step does, by time.
type Source = Box<dyn Iterator<Item = Timed>>;

/// Several sources as one.
struct ByTime {
    /// In the order of the file.
    sources: Vec<Peekable<Source>>,
    /// When the next of each source is due, and the source's place. Invariant: one entry for each that has a next.
    next: BinaryHeap<Reverse<(Duration, usize)>>,
}

impl Iterator for ByTime {
    type Item = Timed;

    fn next(&mut self) -> Option<Timed> {
        let Reverse((_, place)) = self.next.pop()?;
        let source = self.sources.get_mut(place)?;
        let timed = source.next();
        if let Some(following) = source.peek() {
            self.next.push(Reverse((following.at, place)));
        }
        timed
    }
}

fn source(step: &Step) -> Source {
    let at = step.at;
    let one = |act| -> Source { Box::new(iter::once(Timed { at, act })) };
    match step.action.clone() {
        Action::Link(change) => {
            let acts = change_both(&change.between, &change.set.0);
            Box::new(acts.into_iter().map(move |act| Timed { at, act }))
        }
        Action::Cut(Way { from, to }) => one(Act::Ask(Request::Cut { from, to })),
        Action::Isolate(name) => one(Act::Ask(Request::Isolate { name })),
        Action::Heal(Healed::Way(Way { from, to })) => {
            one(Act::Ask(Request::Heal { from: Some(from), to: Some(to) }))
        }
        Action::Heal(Healed::Name(name)) => {
            let from = (name != "all").then_some(name);
            one(Act::Ask(Request::Heal { from, to: None }))
        }
        Action::Kill(host) => one(Act::Ask(Request::Kill { host })),
        Action::Pause(host) => one(Act::Ask(Request::Pause { host })),
        Action::Resume(host) => one(Act::Ask(Request::Resume { host })),
        Action::Restart(host) => one(Act::Ask(Request::Restart { host })),
        Action::Expect(expectation) => one(Act::Expect(expectation)),
        Action::Ramp(ramp) => Box::new(ramp_up(at, ramp)),
        Action::Flap(flap) => Box::new(flaps(at, &flap).into_iter()),
    }
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
fn ramp_up(start: Duration, ramp: Ramp) -> impl Iterator<Item = Timed> {
    let (over, change_ms) = (ramp.over_s.0, ramp.to_rtt_ms.0 - ramp.from_rtt_ms.0);
    let steps = u32::try_from(over.as_millis().div_ceil(RAMP_STEP.as_millis())).unwrap_or(u32::MAX).max(1);
    (0..=steps).flat_map(move |step| {
        let done = f64::from(step) / f64::from(steps);
        let delay_ms = Some((ramp.from_rtt_ms.0 + change_ms * done) / 2.0);
        let acts = change_both(&ramp.between, &ShapeKeys { delay_ms, ..ShapeKeys::default() });
        acts.into_iter().map(move |act| Timed { at: start + over.mul_f64(done), act })
    })
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
    all.sort_by_key(|timed| timed.at);
    all
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;
