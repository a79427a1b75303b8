//! What a terminal gets. `script` (bsdutils, which every Debian and Ubuntu has) lends one.

use std::process::Command;

use crate::lab::{BINARY, Sim};

/// An error is red on a terminal, and plain on one whose user said NO_COLOR.
pub(crate) fn colour(sim: &Sim) {
    let plain = on_a_terminal(sim, Some("1"));
    assert!(plain.contains("error:") && !plain.contains('\x1b'), "{plain:?}");
    let coloured = on_a_terminal(sim, None);
    assert!(coloured.contains("\x1b[1;31merror:\x1b[0m"), "{coloured:?}");
    // https://no-color.org: an empty value does not count.
    assert!(on_a_terminal(sim, Some("")).contains("\x1b["));
}

fn on_a_terminal(sim: &Sim, no_color: Option<&str>) -> String {
    let mut command = Command::new("script");
    command.args(["-qec", &format!("{BINARY} kv get no-such-key"), "/dev/null"]);
    command.env("FARQUORUM_STATE_DIR", sim.lab.state.path()).env("FARQUORUM_CONTEXT", sim.context_file());
    command.env_remove("NO_COLOR").env("TERM", "xterm");
    if let Some(value) = no_color {
        command.env("NO_COLOR", value);
    }
    String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
}
