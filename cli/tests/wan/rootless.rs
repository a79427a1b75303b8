//! SIM-4: no root is needed.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::lab::{BINARY, Lab, text};

/// The user `nobody` of most systems: what matters is that it is not root.
const USER: u32 = 65534;

#[test]
fn an_ordinary_user_can_run_it() {
    let Some(lab) = Lab::enter() else { return };
    if !nix::unistd::geteuid().is_root() {
        // Then every other test of this binary shows it.
        println!("this user is not root already");
        return;
    }
    let home = lab.state.path().join("user");
    std::fs::create_dir(&home).unwrap();
    chown(&home, Some(USER), Some(USER)).unwrap();
    std::fs::set_permissions(lab.state.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // The build folder may be closed to other users: they get a copy.
    let binary = home.join("farquorum");
    std::fs::copy(BINARY, &binary).unwrap();
    let run = |args: &[&str]| run(&binary, &home, args);
    let up = run(&["sim", "up"]);
    let status = run(&["status"]);
    let id = run(&["sim", "exec", "operator", "--", "id", "-u"]);
    let down = run(&["sim", "down", "--purge"]);
    assert!(up.status.success(), "{}", text(&up.stderr));
    assert!(status.status.success(), "{}", text(&status.stderr));
    assert_eq!(text(&id.stdout), format!("{USER}\n"), "{}", text(&id.stderr));
    assert!(down.status.success(), "{}", text(&down.stderr));
}

fn run(binary: &Path, home: &Path, args: &[&str]) -> std::process::Output {
    let mut command = Command::new(binary);
    command.args(args).uid(USER).gid(USER).current_dir(home).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("FARQUORUM_STATE_DIR", home);
    command.output().unwrap()
}
