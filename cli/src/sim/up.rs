//! `sim up`, the front process: prepare, launch, wait until ready, print. Interrupted or failed, it takes down what
//! it started.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Args;
use farquorum_netem::lab::LabSpec;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::folder::Folder;
use super::launch::{self, Event, Launch};
use super::protocol::{Request, Response};
use super::report::HostPlan;
use super::supervisor::Plan;
use super::{plan, prepare, ready, socket, verbs};
use crate::args::Global;
use crate::failure::Failure;
use crate::output::{self, Show as _};

/// `sim up`
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct UpArgs {
    /// three, sprint1, five or six nodes instead of those in the file
    #[arg(long, value_name = "NAME")]
    pub(crate) topology: Option<String>,
    /// Links by name instead of those in the file: seed, observed
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,
    /// Only the network: hosts without nodes, workers or object store
    #[arg(long)]
    pub(crate) no_cluster: bool,
    /// Delete data, certificates and logs of an earlier start first
    #[arg(long)]
    pub(crate) fresh: bool,
}

/// A started simulation.
pub(crate) struct Up {
    /// Its folder.
    pub(crate) folder: Folder,
}

/// Starts a simulation, waits until it is ready, and prints how to go on.
pub(crate) fn run(global: &Global, name: &str, args: &UpArgs) -> Result<ExitCode, Failure> {
    let up = up(global, name, args)?;
    if let Response::Status(status) = socket::ask(&up.folder.socket()?, &Request::Status)? {
        output::print(global.output, &*status)?;
    }
    if global.output == output::Format::Table {
        output::write_line(&next_commands(name, args))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts a simulation and waits until it is ready.
pub(crate) fn up(global: &Global, name: &str, args: &UpArgs) -> Result<Up, Failure> {
    let folder = Folder::named(name)?;
    verbs::must_not_run(global, name, &folder)?;
    let loaded = prepare::configuration(global, args)?;
    let config = &loaded.config;
    let privilege = farquorum_netem::lab::probe().map_err(Failure::failed)?;
    if args.fresh {
        folder.delete()?;
    }
    let spec = LabSpec::from_config(config).map_err(Failure::usage)?;
    let (hosts, forwards) = plan::hosts(config, &spec)?;
    prepare::folder(&folder, &loaded, name, &hosts)?;
    let programs = if args.no_cluster { Vec::new() } else { plan::programs(config, &folder) };
    let events = launch::launch(Launch {
        plan: Plan { name: name.to_owned(), programs, hosts: hosts.clone() },
        spec,
        privilege,
        forwards,
        socket: folder.socket()?,
        log: folder.log("supervisor"),
    })?;
    await_ready(events, &folder, &hosts, args.no_cluster)?;
    Ok(Up { folder })
}

fn await_ready(
    mut events: launch::Events,
    folder: &Folder,
    hosts: &[HostPlan],
    no_cluster: bool,
) -> Result<(), Failure> {
    let mut pid = None;
    let result = interruptible(folder, &mut pid, move |note| {
        follow_start(&mut events, folder, note)?;
        if no_cluster { Ok(()) } else { ready::wait(folder, hosts) }
    });
    if result.is_err() {
        if let Some(pid) = pid {
            // Pid 1's end is the end of everything in its namespace.
            let _gone = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _unmade = folder.socket().map(std::fs::remove_file);
    }
    result
}

/// Runs `work` on a thread of its own and ends early on Ctrl-C; `pid` is what `work` noted last.
fn interruptible(
    _folder: &Folder,
    pid: &mut Option<i32>,
    work: impl FnOnce(&dyn Fn(i32)) -> Result<(), Failure> + Send,
) -> Result<(), Failure> {
    let noted = std::sync::atomic::AtomicI32::new(0);
    let result = std::thread::scope(|scope| {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        scope.spawn(|| {
            let result = work(&|pid| noted.store(pid, std::sync::atomic::Ordering::SeqCst));
            let _interrupted = sender.send(result);
        });
        crate::runtime::block_on(async { receiver.await.map_err(Failure::failed)? }).inspect_err(|_| {
            // The worker thread waits for pid 1: its end lets the thread end.
            let pid = noted.load(std::sync::atomic::Ordering::SeqCst);
            if pid > 0 {
                let _gone = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        })
    });
    let noted = noted.into_inner();
    *pid = (noted > 0).then_some(noted);
    result
}

fn follow_start(events: &mut launch::Events, folder: &Folder, note: &dyn Fn(i32)) -> Result<(), Failure> {
    let progress = |text: &str| {
        if std::io::stderr().is_terminal() {
            eprintln!("{text}");
        }
    };
    let mut table = String::new();
    loop {
        match events.next() {
            Some(Event::Pid(pid)) => note(pid),
            Some(Event::Lab(backend)) => progress(&format!("network: {backend}")),
            Some(Event::Checked(checked)) => {
                table = checked.table();
                progress(&table);
            }
            Some(Event::Started) => return Ok(()),
            Some(Event::Failed(message)) => {
                return Err(Failure::failed(if table.is_empty() {
                    message
                } else {
                    format!("{message}\n{table}")
                }));
            }
            None => {
                let log = folder.log("supervisor");
                return Err(Failure::failed(format!("the supervisor ended; its log is {}", log.display())));
            }
        }
    }
}

fn next_commands(name: &str, args: &UpArgs) -> String {
    let suffix = if name == "default" { String::new() } else { format!(" --name {name}") };
    let more = if args.no_cluster {
        ""
    } else {
        "\n  farquorum status                          who leads, round trips, indexes\
         \n  farquorum kv set greeting hello           a linearizable write\
         \n  farquorum job run wordcount --input /usr/share/common-licenses --output s3://pipeline-data/wc --reducers 3"
    };
    format!(
        "\nnext:{more}\n  farquorum sim kill{suffix} leader                 and watch the others take over\
         \n  farquorum sim exec{suffix} operator -- PROGRAM    run anything inside the emulated WAN\
         \n  farquorum sim down{suffix}"
    )
}
