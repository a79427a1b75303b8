//! How the lab begins and ends (SIM-3), who may make it (SIM-4), and how the host reaches it.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};
use std::thread::sleep;
use std::time::Duration;

use farquorum_netem::forward::Forwarder;
use farquorum_netem::lab::{Entered, enter, in_netns, probe};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;

use crate::harness::{User, inside, lab};

/// Runs the probe and prints its error: what this binary does when it is started with this word.
pub(crate) const PROBE_ONLY: &str = "--probe-only";

/// SIM-3: after kill -9 of the supervisor no process of the lab is left, not even a grandchild that took a session
/// of its own, and no namespace.
pub(crate) fn kill_leaves_nothing() -> Result<(), String> {
    let (mut report, mut reporter) = UnixStream::pair().map_err(|error| error.to_string())?;
    let before = namespaces();
    let child =
        match enter(&probe().map_err(|error| error.to_string())?).map_err(|error| error.to_string())? {
            Entered::Parent { child } => child,
            Entered::Supervisor => {
                drop(report);
                let lab = lab(None);
                // The shell ends at once; its child has a session of its own and belongs to pid 1.
                let mut command = Command::new("sh");
                command.args(["-c", "setsid sleep 86399 & setsid sleep 86399 & kill -STOP $!"]);
                lab.place("gcp-11", &mut command).expect("a host");
                assert!(command.status().expect("a shell").success());
                writeln!(reporter, "ready").expect("a parent");
                sleep(Duration::from_secs(86_399));
                unreachable!("the parent ends this process");
            }
        };
    drop(reporter);
    let mut word = [0; 6];
    report.read_exact(&mut word).map_err(|error| error.to_string())?;
    let during: Vec<_> = namespaces().into_iter().filter(|one| !before.contains(one)).collect();
    let sleepers = processes_in(&during);
    kill(child, Signal::SIGKILL).map_err(|error| error.to_string())?;
    waitpid(child, None).map_err(|error| error.to_string())?;
    let left = processes_in(&during);
    println!(
        "    {} namespaces and {} processes before the kill, after it {:?}",
        during.len(),
        sleepers.len(),
        left
    );
    if during.len() < 3 || sleepers.len() < 3 {
        return Err(format!("the lab was not there: {during:?}, {sleepers:?}"));
    }
    if left.is_empty() { Ok(()) } else { Err(format!("left behind: {left:?}")) }
}

/// All namespaces that processes are in (network, PID, mount, user).
fn namespaces() -> Vec<String> {
    let mut found: Vec<_> = all_processes().into_iter().flat_map(|(_, namespaces)| namespaces).collect();
    found.sort();
    found.dedup();
    found
}

fn processes_in(namespaces: &[String]) -> Vec<String> {
    let inside =
        all_processes().into_iter().filter(|(_, own)| own.iter().any(|one| namespaces.contains(one)));
    inside.map(|(pid, _)| pid).collect()
}

/// Process ids with the namespaces of each; processes that end meanwhile or belong to others show none.
fn all_processes() -> Vec<(String, Vec<String>)> {
    let pids = fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let numeric = pids.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let link = |pid: &str, kind: &str| fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok();
    numeric
        .map(|pid| {
            let own = ["net", "pid", "mnt", "user"].iter().filter_map(|kind| link(&pid, kind));
            let own = own.map(|path| path.to_string_lossy().into_owned()).collect();
            (pid, own)
        })
        .collect()
}

/// A connection to 127.0.0.1 outside reaches a server inside, and takes the lab's time.
pub(crate) fn forwarder() -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let mut listeners = Forwarder::bind(2).map_err(|error| text(&error))?;
    let dead = listeners.pop().ok_or("two listeners")?;
    let live = listeners.pop().ok_or("two listeners")?;
    let addresses = [&live, &dead].map(|listener| listener.local_addr());
    let child = match enter(&probe().map_err(|error| text(&error))?).map_err(|error| text(&error))? {
        Entered::Parent { child } => child,
        Entered::Supervisor => serve_echo(live, dead),
    };
    drop((live, dead));
    let result = ask(&addresses);
    kill(child, Signal::SIGKILL).map_err(|error| text(&error))?;
    waitpid(child, None).map_err(|error| text(&error))?;
    result.map_err(|error| text(&error))
}

fn ask(addresses: &[std::io::Result<SocketAddr>; 2]) -> std::io::Result<()> {
    let [Ok(live), Ok(dead)] = addresses else { return Err(std::io::Error::other("no address")) };
    for round in 0..20_u8 {
        let mut stream = TcpStream::connect(live)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let start_ns = farquorum_netem::clock::now_ns();
        stream.write_all(&[round; 3_000])?;
        let mut answer = [0; 3_000];
        stream.read_exact(&mut answer)?;
        let took_ns = farquorum_netem::clock::now_ns() - start_ns;
        if answer != [round; 3_000] || took_ns < 50_000_000 {
            return Err(std::io::Error::other(format!(
                "round {round}: wrong bytes, or too fast: {took_ns} ns"
            )));
        }
    }
    // Nobody serves this one: the connection is closed, and nothing hangs.
    let mut stream = TcpStream::connect(dead)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    match stream.read(&mut [0]) {
        Ok(0) => Ok(()),
        other => Err(std::io::Error::other(format!("a connection to nobody gave {other:?}"))),
    }
}

fn serve_echo(live: TcpListener, dead: TcpListener) -> ! {
    let lab = lab(None);
    let server = in_netns(lab.netns("gcp-11").expect("a host"), || TcpListener::bind("10.20.0.11:7000"));
    let server = server.expect("a thread").join().expect("no panic").expect("a namespace").expect("a port");
    let target = |port| SocketAddr::from((Ipv4Addr::new(10, 20, 0, 11), port));
    let operator = lab.netns("aws-12").expect("a host");
    let forwarder = Forwarder::run(vec![(live, target(7000)), (dead, target(7001))], operator);
    let _forwarder = forwarder.expect("a forwarder");
    for stream in server.incoming() {
        let mut stream = stream.expect("a connection");
        let mut writer = stream.try_clone().expect("a descriptor");
        std::io::copy(&mut stream, &mut writer).expect("an echo");
    }
    unreachable!("a listener never ends");
}

/// A process with threads is told so, before anything is made.
pub(crate) fn threads_are_refused() -> Result<(), String> {
    inside(User::Caller, || {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || wait.recv());
        let error = enter(&probe().expect("permission")).expect_err("an error").to_string();
        assert!(error.contains("2 threads"), "{error}");
        drop(go);
        assert!(thread.join().expect("no panic").is_err());
    })
}

/// Where the kernel allows no more user namespaces, the probe of an ordinary user says what failed and what helps.
pub(crate) fn no_permission() -> Result<(), String> {
    inside(User::Nobody, || {
        fs::write("/proc/sys/user/max_user_namespaces", "0").expect("our own user namespace's limit");
        // A new program of an ordinary user has no capabilities here, as outside.
        let output = Command::new("/proc/self/exe").arg(PROBE_ONLY).output().expect("this program");
        let text = String::from_utf8(output.stdout).expect("text");
        println!("    {}", text.trim().replace('\n', "\n    "));
        for part in [
            "make a user namespace",
            "sudo",
            "netem/apparmor/farquorum",
            "apparmor_restrict_unprivileged_userns",
        ] {
            assert!(text.contains(part), "`{part}` is not in:\n{text}");
        }
    })
}

pub(crate) fn probe_only() -> ExitCode {
    match probe() {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}
