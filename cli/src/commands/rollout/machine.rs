//! What a rollout does next. Pure: gets what was seen and what came of the last action, and the time, and gives the next
//! action. `apply.rs` does what it says.
//!
//! One host at a time: until the cluster is fit, the leader hands over when it is its turn, the command runs, until the
//! host has been well for a while. When a host is not well in time, or its command fails, those that were begun go back,
//! the last one first, by the same steps. What cannot be brought back without a majority stays, and is named.

use std::time::Duration;

use super::fit::{self, Problem};
use super::order::{self, Kind, Turn};
use super::progress::{Progress, State};
use super::snapshot::Snapshot;

/// Bounds of a rollout.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// How long a host may take to be well after its command, and the cluster to be fit before it.
    pub(super) wait: Duration,
    /// How long a host must have been well without a break.
    pub(super) steady: Duration,
    /// Whether nobody minds that there is no majority meanwhile.
    pub(super) unavailable_ok: bool,
    /// Whether there is a command that brings a host back.
    pub(super) goes_back: bool,
}

/// Which of a host's commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The new.
    Update,
    /// What was there before.
    Rollback,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Look at the cluster, in a moment.
    Look {
        /// What is awaited.
        awaited: String,
    },
    /// Let the leader hand over.
    HandOver {
        /// Who leads.
        from: String,
        /// Who shall lead; none: the leader picks.
        to: Option<String>,
    },
    /// Run a command.
    Run {
        /// The host's place in [`Machine::hosts`].
        host: usize,
        /// Which.
        what: What,
    },
    /// Nothing more.
    End(End),
}

/// How a rollout ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All hosts are updated and well.
    Updated,
    /// It failed for this reason, and all that were begun are back and well.
    RolledBack(String),
    /// It failed for the first reason, and not all went back, for the second.
    Stuck(String, String),
    /// It failed for this reason, and what was done stays.
    Stopped(String),
    /// Somebody asked for it, between two steps.
    Interrupted,
}

/// What came of the last action.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A look.
    Looked(Snapshot),
    /// The leader handed over, or why it did not.
    HandedOver(Result<(), String>),
    /// The command succeeded, or how it failed.
    Ran(Result<(), String>),
}

/// Where it stands. Times are since the rollout began.
#[derive(Clone, Debug)]
enum Phase {
    /// Until the cluster can do without the next host.
    Before { since: Duration, mark: Option<u64>, refused: Option<String> },
    /// The leader hands over before its turn.
    HandingOver { since: Duration },
    /// The command of a host runs.
    Running { host: usize },
    /// Until the host is well.
    After { host: usize, since: Duration, watch: Watch },
}

/// What was seen of a host since its command.
#[derive(Clone, Copy, Debug, Default)]
struct Watch {
    /// What a node must have applied, or when a worker was heard of last, by the first look.
    mark: Option<u64>,
    /// Since when it is well without a break.
    well_since: Option<Duration>,
    /// When a worker was heard of last, by the first look after it had been well for long enough.
    later: Option<u64>,
}

/// A rollout.
pub(super) struct Machine {
    rules: Rules,
    /// All hosts to update and how far each is, in the order in which they were named.
    pub(super) hosts: Vec<Progress>,
    /// Places of those whose command was begun and that are not back, the last one last.
    begun: Vec<usize>,
    phase: Phase,
    /// Why it failed; from then on it goes back.
    failure: Option<String>,
    /// Whether to end between two steps.
    stopping: bool,
}

impl Machine {
    /// A rollout over these hosts.
    pub(super) fn new(hosts: Vec<Progress>, rules: Rules) -> Self {
        let phase = Phase::Before { since: Duration::ZERO, mark: None, refused: None };
        Self { rules, hosts, begun: Vec::new(), phase, failure: None, stopping: false }
    }

    /// Asks it to end: after the step in hand, or after everything is back.
    pub(super) fn stop(&mut self) {
        self.stopping = true;
    }

    /// Whether it goes back.
    pub(super) fn fails(&self) -> bool {
        self.failure.is_some()
    }

    /// The next action after this event.
    pub(super) fn next(&mut self, event: Event, now: Duration) -> Action {
        match (self.phase.clone(), event) {
            (Phase::Before { since, mark, refused }, Event::Looked(seen)) => {
                let mark = mark.or_else(|| Some(seen.leader()?.1.committed));
                self.phase = Phase::Before { since, mark, refused: refused.clone() };
                let late = now.saturating_sub(since) > self.rules.wait;
                match &self.failure {
                    None => self.before_update(&seen, mark, refused, late, now),
                    Some(_) => self.before_rollback(&seen, refused, late, now),
                }
            }
            (Phase::HandingOver { since }, Event::HandedOver(result)) => {
                self.phase = Phase::Before { since, mark: None, refused: result.err() };
                look("another leader")
            }
            (Phase::Running { host }, Event::Ran(Ok(()))) => {
                self.phase = Phase::After { host, since: now, watch: Watch::default() };
                look(format!("{} well again", self.name(host)))
            }
            (Phase::Running { host }, Event::Ran(Err(why))) => self.host_failed(host, &why, now),
            (Phase::After { host, since, watch }, Event::Looked(seen)) => {
                self.after(&seen, host, since, watch, now)
            }
            // What was not asked for says nothing: look.
            (_, _) => look("the cluster"),
        }
    }

    fn before_update(
        &mut self,
        seen: &Snapshot,
        mark: Option<u64>,
        refused: Option<String>,
        late: bool,
        now: Duration,
    ) -> Action {
        let todo = self.hosts.iter().enumerate().filter(|(_, host)| host.state == State::Untouched);
        let turns = order::order(seen, todo.map(|(place, host)| (place, host.name.as_str(), host.kind)));
        if self.stopping && !turns.is_empty() {
            return Action::End(End::Interrupted);
        }
        let problems = fit::problems(seen, mark, self.rules.unavailable_ok);
        if !problems.is_empty() {
            return if late { self.unfit(&problems, now) } else { look(texts(&problems)) };
        }
        match turns.first() {
            None => Action::End(End::Updated),
            Some((host, Turn::Leader)) if seen.voters().len() > 1 => {
                let from = self.name(*host);
                if late {
                    let why = refused.unwrap_or_else(|| "it leads again each time".to_owned());
                    return self.fail(format!("{from} does not hand leadership over: {why}"), now);
                }
                self.hand_over(seen, from, refused.is_none())
            }
            Some((host, _)) => self.run(*host, What::Update, seen, now),
        }
    }

    fn before_rollback(
        &mut self,
        seen: &Snapshot,
        refused: Option<String>,
        late: bool,
        now: Duration,
    ) -> Action {
        let Some(host) = self.begun.last().copied() else {
            return Action::End(End::RolledBack(self.failure.clone().unwrap_or_default()));
        };
        let (name, node) = (self.name(host), self.kind(host) == Kind::Node);
        if node
            && !self.rules.unavailable_ok
            && let Some(why) = fit::missed(seen, &name)
        {
            return if late { self.stuck(host, why) } else { look(format!("{name} can be missed: {why}")) };
        }
        if node && seen.is_led_by(&name) && seen.voters().len() > 1 {
            if late {
                let why = refused.unwrap_or_else(|| "it leads again each time".to_owned());
                return self.stuck(host, format!("it does not hand leadership over: {why}"));
            }
            return self.hand_over(seen, name, refused.is_none());
        }
        self.run(host, What::Rollback, seen, now)
    }

    fn after(
        &mut self,
        seen: &Snapshot,
        host: usize,
        since: Duration,
        mut watch: Watch,
        now: Duration,
    ) -> Action {
        let name = self.name(host);
        let problem = match self.kind(host) {
            Kind::Node => {
                watch.mark = watch.mark.or_else(|| Some(seen.leader()?.1.committed));
                fit::node_problem(seen, &name, watch.mark)
            }
            Kind::Worker => {
                let problem = fit::worker_problem(seen, &name, watch.mark);
                watch.mark = watch.mark.or_else(|| seen.heard_ms(&name));
                problem
            }
        };
        watch.well_since = if problem.is_some() { None } else { watch.well_since.or(Some(now)) };
        let steady = watch.well_since.is_some_and(|since| now.saturating_sub(since) >= self.rules.steady);
        // A worker is heard of only now and then, and may have ended after the last time: it must be heard of once more.
        let problem = match self.kind(host) {
            Kind::Worker if steady => {
                let problem = fit::worker_problem(seen, &name, watch.later);
                watch.later = watch.later.or_else(|| seen.heard_ms(&name));
                problem
            }
            _ => {
                watch.later = None;
                problem
            }
        };
        self.phase = Phase::After { host, since, watch };
        match problem {
            Some(problem) if now.saturating_sub(since) > self.rules.wait => {
                let why = format!("{problem}, {} s after its command", self.rules.wait.as_secs());
                self.host_failed(host, &why, now)
            }
            Some(problem) => look(format!("{name} {problem}")),
            None if steady => self.host_is_well(host, seen, now),
            None => look(format!("{name} staying well")),
        }
    }

    fn host_is_well(&mut self, host: usize, seen: &Snapshot, now: Duration) -> Action {
        let state = if self.fails() { State::RolledBack } else { State::Updated };
        if let Some(progress) = self.hosts.get_mut(host) {
            progress.ended(state, seen.view(&progress.name), now);
        }
        if self.fails() {
            self.begun.pop();
        }
        self.phase = Phase::Before { since: now, mark: None, refused: None };
        look("the cluster")
    }

    /// The command of a host failed, or the host is not well in time.
    fn host_failed(&mut self, host: usize, why: &str, now: Duration) -> Action {
        if self.fails() {
            return self.stuck(host, why.to_owned());
        }
        let name = self.name(host);
        if let Some(progress) = self.hosts.get_mut(host) {
            progress.failed(why, now);
        }
        self.fail(format!("{name}: {why}"), now)
    }

    /// The cluster is not fit for the next step. It goes back only when that may be what was done: while another host is
    /// away, to restart those that are well would only make it worse.
    fn unfit(&mut self, problems: &[Problem], now: Duration) -> Action {
        let begun = |name: &str| self.begun.iter().any(|host| self.name(*host) == name);
        let ours = problems.iter().any(|problem| problem.host.as_deref().is_none_or(begun));
        let why = texts(problems);
        if ours { self.fail(why, now) } else { Action::End(End::Stopped(why)) }
    }

    fn fail(&mut self, why: String, now: Duration) -> Action {
        if !self.rules.goes_back || self.begun.is_empty() {
            return Action::End(End::Stopped(why));
        }
        self.failure = Some(why);
        self.phase = Phase::Before { since: now, mark: None, refused: None };
        look("the cluster")
    }

    /// A host does not go back, and so none before it does: whatever is wrong, a person must look.
    fn stuck(&mut self, host: usize, why: String) -> Action {
        let why = format!("{}: {why}", self.name(host));
        Action::End(End::Stuck(self.failure.clone().unwrap_or_default(), why))
    }

    /// To the best one, and when that was refused to whom the leader picks.
    fn hand_over(&mut self, seen: &Snapshot, from: String, first: bool) -> Action {
        let to = if first { fit::successor(seen, &from) } else { None };
        if let Phase::Before { since, .. } = self.phase {
            self.phase = Phase::HandingOver { since };
        }
        Action::HandOver { from, to }
    }

    fn run(&mut self, host: usize, what: What, seen: &Snapshot, now: Duration) -> Action {
        if let Some(progress) = self.hosts.get_mut(host).filter(|_| what == What::Update) {
            progress.begun(seen.view(&progress.name), now);
            self.begun.push(host);
        }
        self.phase = Phase::Running { host };
        Action::Run { host, what }
    }

    fn name(&self, host: usize) -> String {
        self.hosts.get(host).map(|host| host.name.clone()).unwrap_or_default()
    }

    fn kind(&self, host: usize) -> Kind {
        self.hosts.get(host).map_or(Kind::Node, |host| host.kind)
    }
}

fn look(awaited: impl Into<String>) -> Action {
    Action::Look { awaited: awaited.into() }
}

fn texts(problems: &[Problem]) -> String {
    problems.iter().map(|problem| problem.text.as_str()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
