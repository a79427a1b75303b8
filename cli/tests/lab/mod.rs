//! Simulations for tests: real processes in the emulated WAN, started with the binary under test.
//!
//! A [`Sim`] has a state folder of its own and is taken down when it is dropped, also by a panic. Simulations of one
//! test binary run one after another: two clusters at once on a small machine would measure the machine. Where
//! namespaces are not permitted the test fails, unless `FARQUORUM_NO_LAB=1` says that this is known.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code; Clippy takes only the test functions themselves for it"
)]
#![allow(dead_code, unused_imports, reason = "every test binary uses its part")]

mod cluster;
pub(crate) mod held;
mod http;
pub(crate) mod late;
pub(crate) mod machine;
mod objects;
pub(crate) mod ran;
pub(crate) mod terminal;
mod terms;
mod wait;
pub(crate) mod writes;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use farquorum_client::Context;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) use cluster::RaftState;
pub(crate) use terms::Terms;
pub(crate) use wait::await_that;

/// Held by the first simulation of a test.
static LAB: Mutex<()> = Mutex::new(());
/// Numbers names: no two simulations of a binary share one.
static NAMES: AtomicU32 = AtomicU32::new(0);

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_farquorum");

/// The right to run simulations, with a folder for their state.
#[derive(Clone)]
pub(crate) struct Lab {
    /// State folder: `FARQUORUM_STATE_DIR` of everything that runs here.
    pub(crate) state: Rc<TempDir>,
    _turn: Rc<MutexGuard<'static, ()>>,
}

impl Lab {
    /// Waits for this binary's other tests. `None` where `FARQUORUM_NO_LAB=1` says that there are no namespaces.
    pub(crate) fn enter() -> Option<Self> {
        if std::env::var("FARQUORUM_NO_LAB").is_ok_and(|value| value == "1") {
            println!("skipped: FARQUORUM_NO_LAB=1, so no namespaces can be made here");
            return None;
        }
        let turn = LAB.lock().unwrap_or_else(PoisonError::into_inner);
        // A socket's path has 107 bytes at most: the folder's name is short.
        let state = tempfile::Builder::new().prefix("fq").tempdir().unwrap();
        Some(Self { state: Rc::new(state), _turn: Rc::new(turn) })
    }

    /// A name that no other simulation of this binary has.
    pub(crate) fn name(&self) -> String {
        format!("t{}", NAMES.fetch_add(1, Ordering::Relaxed))
    }

    /// The binary, with nothing of the caller's configuration.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(BINARY);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("FARQUORUM_") {
                command.env_remove(name);
            }
        }
        // Not the repository's folder: a farquorum.toml in the working folder would be read.
        command.env("FARQUORUM_STATE_DIR", self.state.path()).current_dir(self.state.path());
        command.stdin(Stdio::null());
        command
    }

    /// Starts a simulation and waits until it is ready.
    pub(crate) fn up(&self, extra: &[&str]) -> Sim {
        let sim = Sim { lab: self.clone(), name: self.name() };
        let output = sim.run(&[&["sim", "up"], extra].concat());
        assert!(
            output.status.success(),
            "sim up {extra:?}: {}\n{}\n(FARQUORUM_NO_LAB=1 skips tests that need namespaces)",
            output.status,
            text(&output.stderr)
        );
        sim
    }

    /// A simulation that something else started in this state folder.
    pub(crate) fn adopt(&self, name: &str) -> Sim {
        Sim { lab: self.clone(), name: name.to_owned() }
    }
}

/// A running simulation.
pub(crate) struct Sim {
    /// Where it runs.
    pub(crate) lab: Lab,
    /// Its name.
    pub(crate) name: String,
}

impl Sim {
    /// Starts one; `None` as for [`Lab::enter`].
    pub(crate) fn up(extra: &[&str]) -> Option<Self> {
        Some(Lab::enter()?.up(extra))
    }

    /// Its folder: data, logs, certificates, socket.
    pub(crate) fn folder(&self) -> PathBuf {
        self.lab.state.path().join("sim").join(&self.name)
    }

    /// Its context file.
    pub(crate) fn context_file(&self) -> PathBuf {
        self.folder().join("context.toml")
    }

    /// Its context.
    pub(crate) fn context(&self) -> Context {
        Context::load(&self.context_file()).unwrap()
    }

    /// A command of the binary against this simulation; `sim` verbs get its name.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.lab.command();
        match args.split_first() {
            Some((&"sim", verb)) => command.args(["sim", "--name", &self.name]).args(verb),
            _ => command.env("FARQUORUM_CONTEXT", self.context_file()).args(args),
        };
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Standard output of a command that must succeed.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}\n{}", output.status, text(&output.stderr));
        text(&output.stdout)
    }

    /// The JSON that a command prints.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let printed = self.ok(&[args, &["-o", "json"]].concat());
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{args:?}: {error}: {printed}"))
    }

    /// A verb of `sim` with its arguments: `sim.verb(&["kill", "leader"])`. Gives what it prints.
    pub(crate) fn verb(&self, args: &[&str]) -> String {
        self.ok(&[&["sim"], args].concat()).trim().to_owned()
    }

    /// Cuts two hosts or clouds off each other, both ways.
    pub(crate) fn part(&self, one: &str, other: &str) {
        self.verb(&["cut", one, other]);
        self.verb(&["cut", other, one]);
    }

    /// Undoes every cut.
    pub(crate) fn heal_all(&self) {
        self.verb(&["heal"]);
    }

    /// Ends it; with `purge` nothing of it stays on disk.
    pub(crate) fn down(&self, purge: bool) {
        let purge: &[&str] = if purge { &["--purge"] } else { &[] };
        self.ok(&[&["sim", "down"], purge].concat());
    }

    /// What a host's process printed.
    pub(crate) fn log(&self, host: &str) -> String {
        std::fs::read_to_string(self.folder().join("logs").join(format!("{host}.log"))).unwrap_or_default()
    }
}

impl Drop for Sim {
    /// A second `down` is no failure, so a test may have done it already.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.print_logs();
        }
        let output = self.run(&["sim", "down", "--purge"]);
        if !output.status.success() {
            eprintln!("sim down: {}", text(&output.stderr));
            machine::kill_all_with(self.lab.state.path());
        }
    }
}

impl Sim {
    /// The end of every log, for the reader of a test that failed.
    fn print_logs(&self) {
        let mut files: Vec<PathBuf> = std::fs::read_dir(self.folder().join("logs"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        files.sort();
        for file in files {
            let log = std::fs::read_to_string(&file).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let end = &lines[lines.len().saturating_sub(15)..];
            eprintln!("---- {}\n{}", file.display(), end.join("\n"));
        }
    }
}

/// Bytes as text, for messages.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Writes a file below the lab's state folder and gives its path.
pub(crate) fn file(lab: &Lab, name: &str, content: impl AsRef<[u8]>) -> String {
    let path: &Path = lab.state.path();
    let path = path.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    path.display().to_string()
}
