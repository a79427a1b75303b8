//! `sim up`, the front process: prepare, launch, wait until ready, print. Interrupted or failed, it takes down what
//! it started; once that is ready, it outlives this process and its terminal.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use farquorum_config::{Config, Detours, LabBackend};
use farquorum_netem::lab::{LabSpec, Privilege};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::folder::Folder;
use super::launch::{self, Event, Launch, Means};
use super::lock::{self, Lock};
use super::protocol::{Request, Response};
use super::relayed::Relayed;
use super::report::HostPlan;
use super::supervisor::Plan;
use super::{plan, prepare, ready, relayed, socket, verbs};
use crate::args::Global;
use crate::failure::{Failure, Kind};
use crate::output::{self, Show as _};

/// How long the kernel may take to end all processes of the namespaces: seconds on a machine that swaps.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// `sim up`
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct UpArgs {
    /// three, sprint1, five or six nodes instead of those in the file
    #[arg(long, value_name = "NAME")]
    pub(crate) topology: Option<String>,
    /// Distances by name instead of those in the file; `farquorum sim presets` lists them
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,
    /// What delays the packets: user (in user space, as auto), kernel (netem; refused where there is none) or relay (TCP
    /// relays, which delay bytes; they need no namespaces, and auto takes them where there are none)
    #[arg(long, value_name = "NAME")]
    pub(crate) backend: Option<String>,
    /// Only the network: hosts without nodes, workers or object store
    #[arg(long)]
    pub(crate) no_cluster: bool,
    /// Run this program for each node in place of `farquorum node run`, with the same arguments: one that starts a
    /// virtual machine, which has the host's address. Killing and pausing reach all processes of its group
    #[arg(long, value_name = "PROGRAM", conflicts_with = "no_cluster")]
    pub(crate) node_program: Option<PathBuf>,
    /// Delete data, certificates and logs of an earlier start first
    #[arg(long)]
    pub(crate) fresh: bool,
}

/// A started simulation.
pub(crate) struct Up {
    /// Its folder.
    pub(crate) folder: Folder,
    /// Whether its hosts are joined by relays.
    relayed: bool,
}

/// Starts a simulation, waits until it is ready, and prints how to go on.
pub(crate) fn run(global: &Global, name: &str, args: &UpArgs) -> Result<ExitCode, Failure> {
    let up = up(global, name, args)?;
    if let Response::Status(status) = socket::ask(&up.folder.socket()?, &Request::Status)? {
        output::print(global.output, &*status)?;
    }
    if global.output == output::Format::Table {
        output::write_line(&next_commands(name, args.no_cluster, up.relayed))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts a simulation and waits until it is ready.
pub(crate) fn up(global: &Global, name: &str, args: &UpArgs) -> Result<Up, Failure> {
    let folder = Folder::named(name)?;
    let loaded = prepare::configuration(global, args)?;
    let config = &loaded.config;
    let chosen = choose(config.lab.backend)?;
    if let (Chosen::Relays(why), true) = (&chosen, args.node_program.is_some()) {
        let message = format!("--node-program needs network namespaces, and this network has relays: {why}");
        let hint = "farquorum doctor says what namespaces need";
        return Err(Failure::new(Kind::Refused, message).hint(hint));
    }
    prepare::check_folder(&folder, config)?;
    let lock = lock(global, name, &folder)?;
    // From here on there is something to take down: an interrupt waits until somebody listens for it.
    crate::runtime::hold_interrupts()?;
    if args.fresh {
        lock.clear()?;
    }
    let mut spec = LabSpec::from_config(config).map_err(Failure::usage)?;
    let of_nodes = args.node_program.as_deref().map(std::path::absolute).transpose()?;
    if of_nodes.is_some() {
        spec.machines = config.nodes.iter().map(|node| node.name.clone()).collect();
    }
    let Bound { means, hosts, detours } = bind(chosen, config, &spec)?;
    prepare::folder(&folder, &loaded, name, &hosts)?;
    prepare::host_configs(&folder, &loaded, &detours)?;
    let programs = if args.no_cluster {
        Vec::new()
    } else {
        prepare::credentials(&folder)?;
        let own = |host: &str| {
            if detours.is_empty() { folder.config() } else { folder.host_config(host) }
        };
        plan::programs(config, &folder, own, of_nodes.as_deref())
    };
    let is_fallback = config.lab.backend == LabBackend::Auto && !detours.is_empty();
    let lateness_p99_max = config.lab.lateness_p99_max;
    let events = launch::launch(Launch {
        plan: Plan {
            name: name.to_owned(),
            preset: args.preset.clone().unwrap_or_default(),
            programs,
            hosts: hosts.clone(),
            lateness_p99_max,
        },
        spec,
        means,
        socket: folder.socket()?,
        log: folder.log("supervisor"),
    })?;
    await_ready(events, (&folder, &lock), &hosts, args, is_fallback)?;
    Ok(Up { folder, relayed: !detours.is_empty() })
}

/// Takes the name, which the supervisor inherits; refuses when one runs or starts under it.
fn lock(global: &Global, name: &str, folder: &Folder) -> Result<Lock, Failure> {
    let until = Instant::now() + lock::PATIENCE;
    loop {
        // One that runs says so itself, and with what.
        verbs::must_not_run(global, name, folder)?;
        if let Some(lock) = Lock::try_take(folder)? {
            return Ok(lock);
        }
        if Instant::now() >= until {
            return Err(lock::held(folder));
        }
        std::thread::sleep(lock::TRY_AGAIN);
    }
}

/// Which network a simulation gets.
enum Chosen {
    Namespaces(Privilege),
    /// Why.
    Relays(String),
}

/// What is asked for; `auto` takes relays only where namespaces were tried and refused, and says so.
fn choose(backend: LabBackend) -> Result<Chosen, Failure> {
    if backend == LabBackend::Relay {
        return Ok(Chosen::Relays("asked for".to_owned()));
    }
    match farquorum_netem::lab::probe() {
        Ok(privilege) => Ok(Chosen::Namespaces(privilege)),
        Err(error) if backend == LabBackend::Auto => {
            Ok(Chosen::Relays(format!("no namespaces here ({})", error.step())))
        }
        Err(error) => Err(Failure::new(Kind::Refused, error)),
    }
}

/// A network whose ports on this machine are bound.
struct Bound {
    means: Means,
    hosts: Vec<HostPlan>,
    /// How each host reaches the others, where that differs: over relays.
    detours: Vec<(String, Detours)>,
}

/// Binds what the network needs on this machine.
fn bind(chosen: Chosen, config: &Config, spec: &LabSpec) -> Result<Bound, Failure> {
    match chosen {
        Chosen::Namespaces(privilege) => {
            let (hosts, forwards) = plan::hosts(config, spec)?;
            Ok(Bound { means: Means::Namespaces { privilege, forwards }, hosts, detours: Vec::new() })
        }
        Chosen::Relays(why) => {
            let Relayed { hosts, doors, reserved, detours } = relayed::plan(config, spec)?;
            Ok(Bound { means: Means::Relays { doors, reserved, why }, hosts, detours })
        }
    }
}

fn await_ready(
    mut events: launch::Events,
    (folder, lock): (&Folder, &Lock),
    hosts: &[HostPlan],
    args: &UpArgs,
    is_fallback: bool,
) -> Result<(), Failure> {
    let (no_cluster, machines) = (args.no_cluster, args.node_program.is_some());
    let result = match events.next() {
        Some(Event::Pid { pid, last }) => {
            let (pid, last) = (Pid::from_raw(pid), Pid::from_raw(last));
            lock.is_held_by(&[nix::unistd::getpid(), pid]);
            let started = interruptible(pid, last, move || {
                follow_start(&mut events, folder, is_fallback)?;
                if no_cluster { Ok(()) } else { ready::wait(folder, hosts, machines) }
            });
            started.inspect(|()| lock.is_held_by(&[pid]))
        }
        other => Err(failed(other, folder, "")),
    };
    if result.is_err() {
        // What would let other commands take this simulation for a running one.
        let _unmade = folder.socket().map(std::fs::remove_file);
        let _unwritten = std::fs::remove_file(folder.context());
    }
    result
}

/// Runs `work` on a thread of its own and ends early on an interrupt. When it fails either way, pid 1 is ended, and with it
/// everything in its namespaces, so `work` sees the end of its pipe.
fn interruptible(
    pid: Pid,
    last: Pid,
    work: impl FnOnce() -> Result<(), Failure> + Send,
) -> Result<(), Failure> {
    std::thread::scope(|scope| {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        scope.spawn(|| {
            let _interrupted = sender.send(work());
        });
        crate::runtime::block_on(async { receiver.await.map_err(Failure::failed)? })
            .inspect_err(|_| end(pid, last))
    })
}

/// Ends pid 1 and waits until the last process is gone: the next start may follow at once.
fn end(pid: Pid, last: Pid) {
    let until = Instant::now() + END_TIMEOUT;
    let _gone = kill(pid, Signal::SIGKILL);
    while kill(last, None).is_ok() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn follow_start(events: &mut launch::Events, folder: &Folder, is_fallback: bool) -> Result<(), Failure> {
    let progress = |text: &str| {
        if std::io::stderr().is_terminal() {
            output::say_aside(text);
        }
    };
    let mut table = String::new();
    loop {
        match events.next() {
            Some(Event::Pid { .. }) => {}
            // Who asked for nothing in particular is told in any case that it is not the usual network.
            Some(Event::Lab(backend)) if is_fallback => output::say_aside(&format!(
                "network: {backend}; farquorum sim up --backend user says what the better one needs"
            )),
            Some(Event::Lab(backend)) => progress(&format!("network: {backend}")),
            Some(Event::Checked(checked)) => {
                table = checked.table();
                progress(&table);
            }
            Some(Event::Started) => return Ok(()),
            other => return Err(failed(other, folder, &table)),
        }
    }
}

/// Why there is no supervisor.
fn failed(event: Option<Event>, folder: &Folder, table: &str) -> Failure {
    match event {
        Some(Event::Failed(message)) => Failure::failed(format!("{message}\n{table}").trim_end()),
        _ => {
            let log = folder.log("supervisor");
            Failure::failed(format!("the supervisor ended; its log is {}", log.display()))
        }
    }
}

/// What to type next, for the table that people read.
fn next_commands(name: &str, no_cluster: bool, relayed: bool) -> String {
    let which = if name == "default" { String::new() } else { format!(" --name {name}") };
    let verb = |verb: &str, meaning: &str| (format!("farquorum sim{which} {verb}"), meaning.to_owned());
    let context = if name == "default" { String::new() } else { format!(" --context sim:{name}") };
    let command =
        |command: &str, meaning: &str| (format!("farquorum{context} {command}"), meaning.to_owned());
    let mut rows = if no_cluster {
        vec![
            verb("check", "every directed pair against its configuration"),
            verb("link aws gcp --delay-ms 60", "change a link while it runs"),
        ]
    } else {
        vec![
            command("status", "who leads, round trips, indexes"),
            command("kv set greeting hello", "a linearizable write"),
            command("job run wordcount --input /usr/share/common-licenses", "a job over real text"),
            verb("kill leader", "and watch the others take over"),
        ]
    };
    if !relayed {
        rows.push(verb("exec operator -- PROGRAM", "run anything inside the emulated WAN"));
    }
    rows.push(verb("down", "stop it"));
    let width = rows.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
    let lines: Vec<String> =
        rows.iter().map(|(command, meaning)| format!("  {command:width$}  {meaning}")).collect();
    format!("\nnext:\n{}", lines.join("\n"))
}
