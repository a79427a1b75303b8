//! The first process of a virtual machine that is a host of the lab: it joins the network, mounts the disk, runs one
//! program until that ends or the console says `stop`, and switches the machine off. `ci/microvm` makes the machine.
//!
//! Arguments, from the kernel's command line: ADDRESS MTU PROGRAM ARGUMENTS...
//!
//! Limits: the program is not started again; one disk, ext4; the console is trusted as the machine's owner.

#[path = "../first_process/mod.rs"]
mod first_process;

use std::error::Error;
use std::fs;
use std::io::BufRead as _;
use std::process::Command;
use std::thread;
use std::time::Duration;

use farquorum_netem::{clock, lab};
use nix::mount::{MsFlags, mount, umount};
use nix::net::if_::if_nametoindex;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The machine's network card, disk, and where the disk goes.
const CARD: &str = "eth0";
const DISK: &str = "/dev/vda";
const DATA: &str = "/data";
/// A device appears after its driver is loaded.
const DEVICE_WAIT_MAX: Duration = Duration::from_secs(20);

fn main() -> Outcome<()> {
    if std::process::id() != 1 {
        return Err("this is the first process of a virtual machine; ci/microvm.sh starts it".into());
    }
    first_process::power_off_after(run, |ended: Option<String>| match ended {
        Some(how) => println!("machine: the program ended: {how}"),
        None => println!("machine: failed"),
    })
}

fn run() -> Outcome<String> {
    first_process::settle()?;
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| arguments.next().ok_or_else(|| format!("the command line has no {what}"));
    let (address, mtu, program) = (next("ADDRESS")?.parse()?, next("MTU")?.parse()?, next("PROGRAM")?);
    appears(CARD, || if_nametoindex(CARD).is_ok())?;
    lab::join(CARD, address, mtu)?;
    appears(DISK, || fs::exists(DISK).unwrap_or(false))?;
    for (source, target, kind, options) in
        [(DISK, DATA, "ext4", "noinit_itable"), ("tmpfs", "/tmp", "tmpfs", "mode=1777")]
    {
        fs::create_dir_all(target)?;
        mount(Some(source), target, Some(kind), MsFlags::MS_NOATIME, Some(options))
            .map_err(|error| format!("mount {source} on {target}: {error}"))?;
    }
    let child =
        Command::new(&program).args(arguments).spawn().map_err(|error| format!("{program}: {error}"))?;
    let child = Pid::from_raw(i32::try_from(child.id())?);
    thread::spawn(move || stop_when_told(child));
    let how = wait_for(child)?;
    umount(DATA)?;
    Ok(how)
}

fn appears(what: &str, there: impl Fn() -> bool) -> Outcome<()> {
    let wait_ns = u64::try_from(DEVICE_WAIT_MAX.as_nanos())?;
    let until_ns = clock::now_ns().saturating_add(wait_ns);
    while !there() {
        if clock::now_ns() > until_ns {
            return Err(format!("{what} did not appear within {DEVICE_WAIT_MAX:?}").into());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Asks the program to stop when a line of the console says so.
fn stop_when_told(child: Pid) {
    for line in std::io::stdin().lock().lines() {
        match line.as_deref().map(str::trim) {
            Ok("stop") => {
                println!("machine: asked to stop");
                let _gone = kill(child, Signal::SIGTERM);
            }
            Ok("") => {}
            Ok(other) => println!("machine: {other:?} is not known; there is: stop"),
            Err(error) => return println!("machine: the console cannot be read: {error}"),
        }
    }
}

/// Waits for the program, and for every orphan meanwhile; how it ended.
fn wait_for(child: Pid) -> Outcome<String> {
    loop {
        match waitpid(None, None)? {
            WaitStatus::Exited(pid, code) if pid == child => return Ok(format!("exit status {code}")),
            WaitStatus::Signaled(pid, signal, _) if pid == child => return Ok(signal.to_string()),
            _ => {}
        }
    }
}
