//! A machine that does not let this user make namespaces.

use std::process::Command;

use crate::lab::{BINARY, Lab};
use crate::ran::run;

/// Who asks for packets gets them or learns how (`auto` takes relays). Inside a user namespace of its own a test may set the limit of further ones to zero, which is how a kernel says no.
#[test]
fn the_ways_out_are_named() {
    let Some(lab) = Lab::enter() else { return };
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && echo 0 > /proc/sys/user/max_net_namespaces \
                  && exec \"$0\" sim up --backend user";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", script, BINARY]);
    command.env("FARQUORUM_STATE_DIR", lab.state.path()).current_dir(lab.state.path());
    run(command).code(4).says(&[
        "no permission to make the lab",
        "four ways out",
        "1. run the same command with sudo",
        "2. allow user namespaces for this program: sudo install -m 644 netem/apparmor/farquorum",
        "3. allow them for every program: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        "4. do without packets: farquorum sim up --backend relay",
    ]);
    assert_eq!(std::fs::read_dir(lab.state.path()).unwrap().count(), 0, "a refused start left something");
}
