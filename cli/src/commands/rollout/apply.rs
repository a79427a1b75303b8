//! Does what the machine says: looks, lets the leader hand over, runs commands, and says on standard error what happens.

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::look::look;
use super::machine::{Action, End, Event, Machine, Rules, What};
use super::order::Kind;
use super::progress::{Progress, State};
use super::target::Target;
use super::{command, report};
use crate::commands::cluster::Connection;
use crate::failure::Failure;
use crate::output::{Format, say_aside};
use crate::runtime;

/// Between two looks: four a second cost the cluster nothing.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What is awaited is said again only after this.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// A rollout at work.
pub(super) struct Rollout<'a> {
    /// The cluster.
    pub(super) connection: &'a Connection,
    /// The hosts, in the order in which they were named.
    pub(super) targets: &'a [Target],
    /// Bounds.
    pub(super) rules: Rules,
    /// Longest run of one command.
    pub(super) command_time_max: Duration,
    /// Cancelled by the first interrupt.
    pub(super) stop: CancellationToken,
    /// Cancelled by the second one.
    pub(super) kill: CancellationToken,
}

impl Rollout<'_> {
    /// Runs to its end and prints what was done.
    pub(super) async fn run(self, format: Format) -> Result<ExitCode, Failure> {
        let begun = Instant::now();
        let second = tokio::spawn(second_interrupt(self.stop.clone(), self.kill.clone()));
        let hosts =
            self.targets.iter().map(|target| Progress::new(target.name.clone(), target.kind)).collect();
        let mut machine = Machine::new(hosts, self.rules);
        let mut said = Said::default();
        let mut event = Event::Looked(self.look().await);
        let end = loop {
            if self.stop.is_cancelled() {
                machine.stop();
            }
            let action = machine.next(event, begun.elapsed());
            said.states(&machine.hosts);
            event = match action {
                Action::Look { awaited } => {
                    said.awaits(&awaited, begun.elapsed());
                    self.pause().await;
                    Event::Looked(self.look().await)
                }
                Action::HandOver { from, to } => {
                    Event::HandedOver(self.hand_over(&from, to.as_deref()).await)
                }
                Action::Run { host, what } => Event::Ran(self.run_command(host, what).await),
                Action::End(end) => break end,
            };
            if self.kill.is_cancelled() {
                break End::Interrupted;
            }
        };
        second.abort();
        report::end(format, &self.connection.context.cluster, end, &machine.hosts, begun.elapsed())
    }

    async fn look(&self) -> super::snapshot::Snapshot {
        look(self.connection, self.targets.iter().any(|target| target.kind == Kind::Worker)).await
    }

    /// Until the next look, or an interrupt.
    async fn pause(&self) {
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            () = self.kill.cancelled() => {}
        }
    }

    async fn hand_over(&self, from: &str, to: Option<&str>) -> Result<(), String> {
        let chosen = self.connection.context.nodes.iter().find(|node| to == Some(node.name.as_str()));
        let whom = to.map(|to| format!(" to {to}")).unwrap_or_default();
        say_aside(&format!("{from}: hands leadership over{whom}"));
        // 0: the leader picks the one that is furthest along.
        match self.connection.cluster.cluster().transfer_leader(chosen.map_or(0, |node| node.id)).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let why = error.to_string();
                say_aside(&format!("{from}: leadership was not handed over: {why}"));
                Err(why)
            }
        }
    }

    async fn run_command(&self, host: usize, what: What) -> Result<(), String> {
        let Some(target) = self.targets.get(host) else { return Err("no such host".to_owned()) };
        let (word, argv) = match what {
            What::Update => ("update", Some(&target.update)),
            What::Rollback => ("rollback", target.rollback.as_ref()),
        };
        let argv = argv.map(Vec::as_slice).unwrap_or_default();
        let shown = shlex::try_join(argv.iter().map(String::as_str)).unwrap_or_default();
        say_aside(&format!("{}: {word}: {shown}", target.name));
        command::run(&target.name, argv, self.command_time_max, &self.kill).await
    }
}

/// The first interrupt lets the step in hand end; one after it does not.
async fn second_interrupt(stop: CancellationToken, kill: CancellationToken) {
    stop.cancelled().await;
    say_aside("interrupted: the step in hand is finished, and undone if it fails; again: stop at once");
    runtime::interrupted().await;
    kill.cancel();
}

/// What was said, so that it is not said all the time.
#[derive(Default)]
struct Said {
    states: Vec<State>,
    awaits_since: Option<Duration>,
}

impl Said {
    /// Says what became of a host, once.
    fn states(&mut self, hosts: &[Progress]) {
        self.states.resize(hosts.len(), State::Untouched);
        for (said, host) in self.states.iter_mut().zip(hosts) {
            if *said == host.state {
                continue;
            }
            *said = host.state;
            self.awaits_since = None;
            let seconds = host.took.unwrap_or_default().as_secs_f64();
            let version = host
                .version_after
                .as_deref()
                .map(|version| format!(", version {version}"))
                .unwrap_or_default();
            let name = &host.name;
            match host.state {
                State::Untouched | State::Begun => {}
                State::Updated => {
                    say_aside(&format!("{name}: updated and well after {seconds:.1} s{version}"))
                }
                State::RolledBack => say_aside(&format!("{name}: rolled back and well{version}")),
                State::Failed => {
                    say_aside(&format!("{name}: FAILED: {}", host.why.as_deref().unwrap_or_default()));
                }
            }
        }
    }

    /// Says what is awaited, when it takes long.
    fn awaits(&mut self, awaited: &str, now: Duration) {
        let since = *self.awaits_since.get_or_insert(now);
        if now.saturating_sub(since) >= SAY_EVERY {
            self.awaits_since = Some(now);
            say_aside(&format!("waiting: {awaited}"));
        }
    }
}
