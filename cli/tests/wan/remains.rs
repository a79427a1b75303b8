//! SIM-3 by the kernel's own numbers: of the processes, namespaces, sockets and open files of a simulation nothing is
//! there when it has ended, also when its supervisor was killed, and also of programs that a user started in it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::lab::held::Held;
use crate::lab::machine::{self, signal};
use crate::lab::{Lab, Sim};

/// How a simulation ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// `sim down`
    Down,
    /// SIGKILL to the supervisor.
    Kill,
}

#[test]
fn nothing_of_a_bare_lab_and_its_programs_remains() {
    let Some(lab) = Lab::enter() else { return };
    for end in [End::Down, End::Kill] {
        // The supervisor and a program that has cut itself loose, each with what it holds.
        leaves_nothing(&lab, &["--no-cluster"], end, 3);
    }
}

#[test]
fn nothing_of_a_whole_simulation_remains() {
    let Some(lab) = Lab::enter() else { return };
    for end in [End::Down, End::Kill] {
        leaves_nothing(&lab, &[], end, 10);
    }
}

fn leaves_nothing(lab: &Lab, up: &[&str], end: End, processes: usize) {
    let (home, mounts) = (Home::new(lab), mounts());
    let sim = lab.adopt(&lab.name());
    assert!(home.run(&sim, &[&["sim", "up"], up].concat()), "sim up {up:?}");
    // A daemon of the user's: its own session, ignores what would end it, outlives what started it.
    let daemon =
        "setsid sh -c 'trap \"\" TERM HUP INT; while :; do sleep 1000; done' </dev/null >/dev/null 2>&1 &";
    assert!(home.run(&sim, &["sim", "exec", "worker-gcp-1", "--", "sh", "-c", daemon]));
    let supervisor = machine::supervisor(lab.state.path()).unwrap();
    let held = held_with(supervisor, processes);

    // What it holds is seen: else nothing below would show anything.
    assert!(!held.left().is_empty(), "{held:?}");
    assert!(held.namespaces.len() > 8, "a namespace for each host, and its own: {held:?}");
    assert!(held.sockets.len() > 8, "ways in and the control socket: {held:?}");
    assert!(!held.written.is_empty(), "at least a log: {held:?}");
    let folder = sim.folder().canonicalize().unwrap();
    let outside = outside(&held, &folder);
    assert!(outside.is_empty(), "{end:?}: open for writing outside of {}: {outside:?}", folder.display());

    match end {
        End::Down => sim.down(false),
        End::Kill => signal(supervisor, Signal::SIGKILL),
    }
    let left = match end {
        // It returns when all has ended: no waiting.
        End::Down => held.left(),
        End::Kill => settled(|| held.left(), Vec::is_empty),
    };
    assert!(left.is_empty(), "{end:?} of {up:?}: {left:?}");
    assert_eq!(home.files(), BTreeSet::new(), "files outside of the state folder");
    assert_eq!(self::mounts(), mounts);
    sim.down(true);
    assert_eq!(state_left(lab), Vec::<PathBuf>::new(), "after --purge");
}

/// Files that it has open for writing outside of its folder.
pub(super) fn outside<'a>(held: &'a Held, folder: &Path) -> Vec<&'a PathBuf> {
    held.written.iter().filter(|file| !file.starts_with(folder)).collect()
}

/// What lies where simulations have their folders.
pub(super) fn state_left(lab: &Lab) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(lab.state.path().join("sim")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The folders that programs write to by themselves, all of them empty.
pub(super) struct Home(tempfile::TempDir);

impl Home {
    pub(super) fn new(lab: &Lab) -> Self {
        // Beside the state folder, not in it.
        let parent = lab.state.path().parent().unwrap();
        Self(tempfile::Builder::new().prefix("fqhome").tempdir_in(parent).unwrap())
    }

    fn run(&self, sim: &Sim, args: &[&str]) -> bool {
        let mut command: Command = sim.command(args);
        for variable in
            ["HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"]
        {
            command.env(variable, self.0.path());
        }
        let output = command.output().unwrap();
        if !output.status.success() {
            eprintln!("{}", crate::lab::text(&output.stderr));
        }
        output.status.success()
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn files(&self) -> BTreeSet<PathBuf> {
        std::fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

/// Mount points that this thread's own mount namespace has of the lab's kind: none may come.
pub(super) fn mounts() -> BTreeSet<String> {
    let text = std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let point = |line: &str| line.split(' ').nth(4).map(str::to_owned);
    let of_the_lab = |point: &String| {
        point.starts_with("/proc") || point.contains("/fq") || point.starts_with("/run/netns")
    };
    text.lines().filter_map(point).filter(of_the_lab).collect()
}

/// What the simulation holds, as soon as that many processes run in it.
fn held_with(supervisor: i32, processes: usize) -> Held {
    settled(|| Held::by(supervisor), |held| held.count() >= processes)
}

/// Looks until it is as wanted, or for 20 seconds; gives the last look.
pub(super) fn settled<T>(look: impl Fn() -> T, wanted: impl Fn(&T) -> bool) -> T {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let found = look();
        if wanted(&found) || Instant::now() > until {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
