//! Pid 1 of the simulation: holds the network, the processes of its hosts, and answers on the control socket. When it
//! ends, by whatever means, the kernel ends everything else with it; over relays its guard does.

use std::collections::BTreeSet;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use farquorum_config::{ShapeKeys, known};
use farquorum_netem::wan::{WanControl, WanError};

use super::changed::AtStart;
use super::network::Network;
use super::periods::Periods;
use super::process::{Process, Program};
use super::protocol::{LEADER, NOTHING_RUNS, Request, Response, SimStatus};
use super::reaper::Reaper;
use super::watch::doubts;
use super::{report, server};

/// What the front process prepared.
pub(crate) struct Plan {
    /// Name of the simulation.
    pub(crate) name: String,
    /// Its link preset; empty when there is none.
    pub(crate) preset: String,
    /// What runs where, in the order of starting.
    pub(crate) programs: Vec<Program>,
    /// Roles and host ports of all hosts.
    pub(crate) hosts: Vec<report::HostPlan>,
    /// Lateness of the emulated WAN from which on results are invalid.
    pub(crate) lateness_p99_max: Duration,
}

/// Pid 1's state.
pub(crate) struct Supervisor {
    /// The emulated WAN.
    pub(crate) network: Network,
    /// Starts and reaps.
    pub(crate) reaper: Reaper,
    control: WanControl,
    plan: Plan,
    at_start: AtStart,
    processes: Mutex<Vec<Process>>,
    periods: Mutex<Periods>,
}

impl Supervisor {
    /// Over a started network; nothing runs in it yet.
    pub(crate) fn new(network: Network, plan: Plan) -> std::io::Result<Arc<Self>> {
        let processes = plan.programs.iter().cloned().map(Process::new).collect();
        let control = network.control();
        let start = control.lateness_mark().map_err(std::io::Error::other)?;
        let at_start = AtStart::of(&control).map_err(std::io::Error::other)?;
        let reaper = Reaper::start()?;
        Ok(Arc::new(Self {
            network,
            reaper,
            control,
            plan,
            at_start,
            processes: Mutex::new(processes),
            periods: Mutex::new(Periods::new(start)),
        }))
    }

    /// Starts every host's process.
    pub(crate) fn start_all(&self) -> Result<(), String> {
        let mut processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        processes.iter_mut().try_for_each(|process| process.start(&self.network, &self.reaper))
    }

    /// Serves the control socket for ever.
    pub(crate) fn serve(self: &Arc<Self>, listener: &UnixListener) {
        server::serve(self, listener);
    }

    /// Does what is asked.
    pub(crate) fn handle(&self, request: &Request) -> Response {
        let result = match request {
            Request::Status => return self.status(),
            Request::Check => return self.check(),
            Request::Period { since } => return self.period(*since),
            Request::Link { from, to, change } => self.change_link(from, to, change),
            Request::Cut { from, to } => self.cut(from, to),
            Request::Heal { from: Some(from), to: Some(to) } => wan(self.control.heal(from, to)),
            Request::Heal { from: Some(name), to: None } => wan(self.control.rejoin(name)),
            Request::Heal { .. } => wan(self.control.heal_all()),
            Request::Isolate { name } => wan(self.control.isolate(name)),
            Request::Kill { host } => self.with(host, Process::kill).map(|()| None),
            Request::Pause { host } => self.with(host, Process::pause).map(|()| None),
            Request::Resume { host } => self.with(host, Process::resume).map(|()| None),
            Request::Restart { host } => self.restart(host),
            Request::Exec(_) | Request::Signal(_) | Request::Down => Err("not possible here".to_owned()),
        };
        match result {
            Ok(took_us) => Response::Done { took_us },
            Err(message) => Response::Error { usage: true, message },
        }
    }

    /// Everything that is known, for a person and for programs.
    fn status(&self) -> Response {
        let mut processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        let hosts = self.plan.hosts.iter().map(|host| {
            let process = processes.iter_mut().find(|process| process.program.host == host.name);
            let (state, starts) = process.map_or_else(
                || (NOTHING_RUNS.to_owned(), 0),
                |process| (process.state(&self.reaper), process.starts),
            );
            host.status(state, starts)
        });
        let hosts = hosts.collect();
        let network = self.control.lateness().and_then(|lateness| Ok((lateness, self.control.links()?)));
        match network {
            Ok((lateness, links)) => Response::Status(Box::new(SimStatus {
                name: self.plan.name.clone(),
                backend: self.network.backend().to_owned(),
                preset: self.plan.preset.clone(),
                hosts,
                links_changed: self.at_start.changes(&links),
                links: report::links(links),
                lateness_p50_us: lateness.known().map(|known| known.p50_us),
                lateness_p99_us: lateness.known().map(|known| known.p99_us),
                lateness_valid: lateness.valid(self.plan.lateness_p99_max),
                invalid_reasons: doubts(&lateness, self.plan.lateness_p99_max),
            })),
            Err(error) => Response::Error { usage: false, message: error.to_string() },
        }
    }

    fn period(&self, since: Option<u64>) -> Response {
        let now = match self.control.lateness_mark() {
            Ok(now) => now,
            Err(error) => return Response::Error { usage: false, message: error.to_string() },
        };
        match self.periods.lock().unwrap_or_else(PoisonError::into_inner).end(since, now) {
            Ok((mark, lateness)) => Response::Period {
                mark,
                lateness_known: lateness.known().is_some(),
                invalid_reasons: doubts(&lateness, self.plan.lateness_p99_max),
            },
            Err(message) => Response::Error { usage: true, message },
        }
    }

    fn check(&self) -> Response {
        match report::check(&self.network, self.plan.lateness_p99_max) {
            Ok(pairs) => Response::Checked(pairs),
            Err(message) => Response::Error { usage: false, message },
        }
    }

    fn change_link(&self, from: &str, to: &str, change: &ShapeKeys) -> Result<Option<u64>, String> {
        let links = self.control.links().map_err(|error| error.to_string())?;
        let clouds: BTreeSet<&str> = links.iter().map(|link| link.from.as_str()).collect();
        if let Some(name) = [from, to].into_iter().find(|name| !clouds.contains(name)) {
            let known = known(name, clouds);
            return Err(WanError::UnknownCloud { name: name.to_owned(), known }.to_string());
        }
        let current = links.iter().find(|link| link.from == from && link.to == to).ok_or_else(|| {
            let known: Vec<String> = links.iter().map(|link| format!("{} {}", link.from, link.to)).collect();
            format!("there is no link from {from} to {to}; the links are: {}", known.join(", "))
        })?;
        let shape = change.apply(&current.shape).map_err(|error| error.to_string())?;
        wan(self.control.set_link(from, to, shape))
    }

    /// A host reaches itself without the network. (A cloud and itself are a link like others.)
    fn cut(&self, from: &str, to: &str) -> Result<Option<u64>, String> {
        if from == to && self.plan.hosts.iter().any(|host| host.name == from) {
            return Err(format!("{from} to itself cannot be cut: that never crosses the network"));
        }
        wan(self.control.cut(from, to))
    }

    /// Nobody who asks for something else waits for the end of the old process.
    fn restart(&self, host: &str) -> Result<Option<u64>, String> {
        if let Some(leaving) = self.with(host, Process::leave)? {
            leaving.await_end(&self.reaper);
        }
        self.with(host, |process, reaper| process.start_again(&self.network, reaper)).map(|()| None)
    }

    fn with<T>(
        &self,
        host: &str,
        act: impl FnOnce(&mut Process, &Reaper) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        let hosts: Vec<String> = processes.iter().map(|process| process.program.host.clone()).collect();
        // `leader` is no host, but the verbs that end here take it where something runs.
        let leader = (!hosts.is_empty()).then_some(LEADER);
        let names = hosts.iter().map(String::as_str).chain(leader);
        let process = processes
            .iter_mut()
            .find(|process| process.program.host == host)
            .ok_or_else(|| format!("nothing runs on a host {host:?}; {}", known(host, names)))?;
        act(process, &self.reaper)
    }

    /// Stops workers, then nodes, then the object store, each by itself if it can; then ends, and with it everything
    /// that is left.
    pub(crate) fn stop_and_exit(&self) -> ! {
        let mut processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        for role in ["worker", "node", "object-store"] {
            let of_role = |process: &&mut Process| {
                self.plan.hosts.iter().any(|host| host.name == process.program.host && host.role == role)
            };
            processes.iter_mut().filter(of_role).for_each(|process| process.terminate(&self.reaper));
            // One second each: leadership is not worth handing over when all nodes stop.
            processes
                .iter_mut()
                .filter(of_role)
                .for_each(|process| process.await_end(&self.reaper, Duration::from_secs(1)));
        }
        self.network.end_rest();
        std::process::exit(0)
    }
}

fn wan(result: Result<Duration, WanError>) -> Result<Option<u64>, String> {
    result.map(|took| u64::try_from(took.as_micros()).ok()).map_err(|error| error.to_string())
}
