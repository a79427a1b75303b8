//! Under sudo: what a start makes belongs to the user who called, and that user's commands reach the cluster.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::User;

use crate::lab::ran::{Ran, run};
use crate::lab::{BINARY, Lab};

/// Root by sudo, or the user who called it.
struct Caller {
    user: User,
    /// The user's home, with a copy of the binary: the build folder may be closed to others.
    home: PathBuf,
}

impl Caller {
    fn command(&self, state: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(self.home.join("farquorum"));
        command.args(args).current_dir(&self.home).env_clear().env("FARQUORUM_STATE_DIR", state);
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command
    }

    fn with_sudo(&self, state: &Path, args: &[&str]) -> Ran {
        let mut command = self.command(state, args);
        command.env("SUDO_UID", self.user.uid.to_string()).env("SUDO_GID", self.user.gid.to_string());
        run(command)
    }

    fn without_sudo(&self, state: &Path, args: &[&str]) -> Ran {
        let mut command = self.command(state, args);
        command.uid(self.user.uid.as_raw()).gid(self.user.gid.as_raw());
        run(command)
    }
}

#[test]
fn what_sudo_starts_belongs_to_the_user_who_called() {
    let Some(lab) = Lab::enter() else { return };
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: only root can act as root by sudo and as another user");
        return;
    }
    // Any user who is not root and has no rights of root's.
    let user = User::from_name("nobody").unwrap().unwrap();
    let home = lab.state.path().join("home");
    std::fs::create_dir(&home).unwrap();
    std::fs::copy(BINARY, home.join("farquorum")).unwrap();
    chown(&home, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    std::fs::set_permissions(lab.state.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let caller = Caller { user, home };
    // It does not exist yet, and neither does the folder above it.
    let state = caller.home.join("state/farquorum");

    caller.with_sudo(&state, &["sim", "up"]).code(0);
    let sim = state.join("sim/default");
    for made in ["state", "state/farquorum", "state/farquorum/sim"] {
        assert_eq!(owner(&caller.home.join(made)), caller.user.uid.as_raw(), "{made}");
    }
    for made in ["", "context.toml", "farquorum.toml", "data", "logs", "data/object-store/credentials.toml"] {
        assert_eq!(owner(&sim.join(made)), caller.user.uid.as_raw(), "{made}");
    }
    let certs = owners(&sim.join("certs"));
    assert!(certs.keys().filter(|path| path.extension().is_some_and(|kind| kind == "key")).count() > 8);
    assert_belongs(&caller, &certs);

    caller.without_sudo(&state, &["status"]).ok().prints(&["cp-aws-1", "leader"]);
    caller.without_sudo(&state, &["kv", "set", "mine", "1"]).ok();
    caller.without_sudo(&state, &["storage", "check"]).code(0);
    // Who talks to the supervisor of root runs programs as root, which is more than a network.
    for refused in [&["sim", "exec", "operator", "--", "id"][..], &["sim", "down"], &["sim", "up"]] {
        caller.without_sudo(&state, refused).code(4).says(&["control.sock", "the same with sudo"]);
    }
    caller.without_sudo(&state, &["kv", "get", "mine"]).ok();

    caller.with_sudo(&state, &["sim", "down"]).ok();
    assert_belongs(&caller, &owners(&state));
}

/// The owner's user id.
fn owner(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).uid()
}

/// Everything in a folder, with its owner.
fn owners(folder: &Path) -> BTreeMap<PathBuf, u32> {
    let mut found = BTreeMap::from([(folder.to_owned(), owner(folder))]);
    if folder.is_dir() {
        for entry in std::fs::read_dir(folder).unwrap() {
            found.append(&mut owners(&entry.unwrap().path()));
        }
    }
    found
}

fn assert_belongs(caller: &Caller, found: &BTreeMap<PathBuf, u32>) {
    let uid = caller.user.uid.as_raw();
    let others: Vec<_> = found.iter().filter(|(_, owner)| **owner != uid).collect();
    assert!(others.is_empty(), "not of user {uid}: {others:?}");
}
