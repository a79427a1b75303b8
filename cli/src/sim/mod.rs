//! `farquorum sim`: the local simulation. `up` prepares a folder, forks a supervisor that becomes pid 1 of its own
//! namespaces, and waits until the cluster is ready; the other verbs talk to the supervisor over its socket.

mod changed;
mod context;
mod exec;
mod folder;
mod guard;
mod launch;
mod link;
mod lock;
mod logs;
mod network;
mod periods;
mod plan;
mod play;
mod prepare;
mod presets;
mod process;
mod protocol;
mod ready;
mod reaper;
mod relayed;
mod report;
mod server;
mod show;
mod socket;
mod supervisor;
mod trace;
mod up;
mod verbs;
mod watch;

use std::process::ExitCode;

use clap::{Args, Subcommand};

pub(crate) use folder::Folder;
pub(crate) use lock::Lock;
pub(crate) use protocol::{LinkStatus, Request, Response, SimStatus};
pub(crate) use socket::ask;
pub(crate) use up::{UpArgs, up};
pub(crate) use verbs::take_down;
pub(crate) use watch::Watch;

use crate::args::Global;
use crate::failure::Failure;

/// Arguments that every verb takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Which {
    /// Name of the simulation; several run side by side under different names
    #[arg(long, default_value = "default", global = true)]
    pub(crate) name: String,
}

/// `farquorum sim ...`
#[derive(Debug, Args)]
pub(crate) struct SimArgs {
    #[command(flatten)]
    which: Which,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start the simulation and wait until it is ready
    Up(up::UpArgs),
    /// Stop it; data stays for the next start
    Down(verbs::DownArgs),
    /// Hosts, links, ports, lateness of the emulator
    Status,
    /// Change a directed link while it runs
    Link(Box<link::LinkArgs>),
    /// Play a recorded series of round trips on the links between two clouds
    Trace(trace::TraceArgs),
    /// Play a scenario: timed changes and faults, with expectations
    ///
    /// Each action is printed with its time. What has changed stays when it ends or is interrupted, unless the scenario
    /// undoes it. An expectation writes the key scenario/expectation, which is deleted at the end.
    Play(play::PlayArgs),
    /// Drop everything from one cloud or host to another
    Cut(verbs::PairArgs),
    /// Undo cuts: one directed pair, all of one cloud or host, or everything
    Heal(verbs::HealArgs),
    /// Cut a cloud or host off, both ways
    Isolate(verbs::NameArgs),
    /// Kill a host's process (SIGKILL); `leader` stands for the node that leads
    Kill(verbs::HostArgs),
    /// Stop a host's process where it is (SIGSTOP)
    Pause(verbs::HostArgs),
    /// Let a paused process go on (SIGCONT)
    Resume(verbs::HostArgs),
    /// Stop a host's process gracefully and start it, or start it when it does not run
    Restart(verbs::HostArgs),
    /// Run a program inside a host of the emulated WAN
    Exec(verbs::ExecArgs),
    /// Show what a host's process printed
    Logs(logs::LogsArgs),
    /// Measure every directed pair of clouds against its configuration
    Check,
    /// List the simulations that run
    List,
    /// List the named distances for `sim up --preset`, with their regions and source
    Presets,
}

/// Runs a verb.
pub(crate) fn run(global: &Global, args: SimArgs) -> Result<ExitCode, Failure> {
    let folder = Folder::named(&args.which.name)?;
    match args.verb {
        Verb::Up(up) => up::run(global, &args.which.name, &up),
        Verb::Down(down) => verbs::down(&args.which.name, &folder, &down),
        Verb::Status => verbs::status(global, &folder),
        Verb::Link(link) => link::run(global, &folder, &link),
        Verb::Trace(trace) => trace::run(&folder, &trace),
        Verb::Play(play) => play::run(&folder, &play),
        Verb::Cut(pair) => verbs::simple(&folder, &Request::Cut { from: pair.from, to: pair.to }),
        Verb::Heal(heal) => verbs::simple(&folder, &Request::Heal { from: heal.from, to: heal.to }),
        Verb::Isolate(name) => verbs::simple(&folder, &Request::Isolate { name: name.place }),
        Verb::Kill(host) => verbs::process(global, &folder, &host.host, |host| Request::Kill { host }),
        Verb::Pause(host) => verbs::process(global, &folder, &host.host, |host| Request::Pause { host }),
        Verb::Resume(host) => verbs::process(global, &folder, &host.host, |host| Request::Resume { host }),
        Verb::Restart(host) => verbs::process(global, &folder, &host.host, |host| Request::Restart { host }),
        Verb::Exec(exec) => verbs::exec(&folder, &exec),
        Verb::Logs(logs) => logs::run(&folder, &logs),
        Verb::Check => verbs::check(global, &folder),
        Verb::List => verbs::list(global),
        Verb::Presets => presets::run(global),
    }
}
