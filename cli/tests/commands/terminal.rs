//! What a terminal gets. `script` (bsdutils, which every Debian and Ubuntu has) lends one.

use std::process::{Command, Stdio};

use crate::lab::{BINARY, Sim};
use crate::ran::Ran;

/// An error is red on a terminal, and plain on one whose user said NO_COLOR.
pub(crate) fn colour(sim: &Sim) {
    let plain = on_a_terminal(sim, Some("1"));
    assert!(plain.contains("error:") && !plain.contains('\x1b'), "{plain:?}");
    let coloured = on_a_terminal(sim, None);
    assert!(coloured.contains("\x1b[1;31merror:\x1b[0m"), "{coloured:?}");
    // https://no-color.org: an empty value does not count.
    assert!(on_a_terminal(sim, Some("")).contains("\x1b["));
}

/// A reader that stops early is no failure of the command, and nobody wants to read about it.
pub(crate) fn closed_pipe(sim: &Sim) {
    let input = ["job", "reference", "--input", "/usr/share/common-licenses"];
    let cases =
        [&input[..], &["kv", "get", "two"], &["config", "keys"], &["sim", "logs", "cp-aws-1", "--follow"]];
    for args in cases {
        let mut command = sim.command(args);
        let (read, write) = std::io::pipe().unwrap();
        drop(read);
        let child = command.stdout(write).stderr(Stdio::piped()).spawn().unwrap();
        // The test's own copy of the pipe's end.
        command.stdout(Stdio::null());
        let output = child.wait_with_output().unwrap();
        Ran::new(&command, output).ok();
    }
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
