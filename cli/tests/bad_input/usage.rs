//! What is wrong before anything is started: flags, the configuration file, names.

use std::net::TcpListener;
use std::path::Path;

use tempfile::TempDir;

use crate::lab::BINARY;
use crate::ran::{Ran, run};

/// Runs the binary in an empty folder, with the configuration file `bad.toml` beside it and no simulation anywhere.
fn ran(file: &str, args: &[&str]) -> Ran {
    let folder = TempDir::new().unwrap();
    ran_in(folder.path(), file, args)
}

fn ran_in(folder: &Path, file: &str, args: &[&str]) -> Ran {
    std::fs::write(folder.join("bad.toml"), file).unwrap();
    let mut command = std::process::Command::new(BINARY);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FARQUORUM_") {
            command.env_remove(name);
        }
    }
    command.args(args).current_dir(folder).env("FARQUORUM_STATE_DIR", folder.join("state"));
    let ran = run(command);
    assert!(!folder.join("state").exists(), "something was made for a start that cannot be: {ran}");
    ran
}

/// The configuration that the built-in one is.
fn good() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../farquorum.toml");
    std::fs::read_to_string(file).unwrap()
}

#[test]
fn a_file_with_unknown_keys_and_values_is_refused_by_file_and_line() {
    let good = good();
    let line = good.lines().count() + 1;
    let cases = [
        ("heartbet_ms = 50", "unknown key; did you mean raft.heartbeat_ms?"),
        ("heartbeat_ms = \"soon\"", "must be a whole number of milliseconds from 1 to 60000"),
        ("heartbeat_ms = 0", "must be a whole number of milliseconds from 1 to 60000"),
    ];
    for (text, message) in cases {
        let file = format!("{good}{text}\n");
        for args in [&["sim", "up", "--config", "bad.toml"][..], &["config", "check", "--config", "bad.toml"]]
        {
            ran(&file, args).code(2).says(&[&format!("(bad.toml:{line})"), message]);
        }
    }
    ran("[raft\n", &["sim", "up", "--config", "bad.toml"]).code(2).says(&["bad.toml:1"]);
    ran("", &["sim", "up", "--config", "none.toml"]).code(2).says(&["none.toml: cannot be read"]);
}

#[test]
fn flags_are_refused_with_what_is_allowed() {
    let cases: &[(&[&str], &[&str])] = &[
        (
            &["sim", "up", "--topology", "thre"],
            &["--topology thre", "did you mean three?", "sprint1, five, six"],
        ),
        (&["sim", "up", "--preset", "sed"], &["--preset sed", "did you mean seed?", "observed"]),
        (&["sim", "up", "--name", "Bad Name"], &["--name \"Bad Name\"", "1 to 32 of a-z, 0-9 and '-'"]),
        (&["sim", "up", "--name", ""], &["1 to 32 of a-z"]),
        (&["sim", "down", "--name", "../x"], &["1 to 32 of a-z"]),
        (&["sim", "up", "--set", "raft"], &["must be KEY=VALUE, such as raft.heartbeat_ms=50"]),
        (
            &["sim", "up", "--set", "raft.heartbet_ms=5"],
            &["(command line): unknown key; did you mean raft.heartbeat_ms?"],
        ),
        (
            &["sim", "up", "--set", "raft.heartbeat_ms=x"],
            &["raft.heartbeat_ms = \"x\" (command line)", "from 1 to 60000"],
        ),
        (&["config", "explain", "raft.heartbeat"], &["did you mean raft.heartbeat_ms?"]),
        (&["status", "-o", "xml"], &["invalid value 'xml'", "table, json, yaml"]),
        (&["status", "--timeout", "0"], &["a number of seconds from 0.001 to 3600"]),
        (
            &["certs", "issue", "--role", "node", "--name", "n", "--san", "bad name!"],
            &["a DNS name: letters"],
        ),
        (&["stats"], &["unrecognized subcommand 'stats'", "'status'"]),
        (&["status", "--context", "none.toml"], &["cannot read the context file none.toml"]),
        (&["status", "--context", "bad.toml"], &["bad.toml is not a context file"]),
        (
            &["demo", "--input", "nowhere"],
            &["--input nowhere", "No such file", "any file or folder with text"],
        ),
        (
            &["node", "run", "--name", "cp-gpc-1", "--data-dir", "d"],
            &["--name: no node cp-gpc-1", "did you mean cp-gcp-1?", "cp-aws-1, cp-gcp-1, cp-azure-1"],
        ),
        (&["worker", "run", "--name", "w-1"], &["--name: no worker w-1", "worker-aws-1, worker-aws-2"]),
    ];
    for (args, words) in cases {
        ran("", args).code(2).says(words);
    }
}

#[test]
fn without_a_simulation_commands_say_how_to_start_one() {
    for args in [
        &["status"][..],
        &["kv", "get", "x"],
        &["job", "list"],
        &["sim", "status"],
        &["sim", "kill", "leader"],
        &["sim", "exec", "operator", "--", "true"],
    ] {
        ran("", args).code(3).says(&["make sim-up"]);
    }
    ran("", &["sim", "list"]).ok().prints(&["no simulation runs"]);
    // Nothing to stop is what was asked for, or a name that was mistyped.
    ran("", &["sim", "down", "--name", "typo"]).code(0).says(&["no simulation named \"typo\" runs"]);
}

/// A taken port: who has it. The whole of 127.0.0.0/8 is this machine's, so the clouds lie there.
#[test]
fn a_node_says_who_holds_its_port() {
    let folder = TempDir::new().unwrap();
    let octet = 100 + std::process::id() % 100;
    let mut local = good();
    for (cloud, third) in [("10.10.0", 1), ("10.20.0", 2), ("10.30.0", 3)] {
        local = local.replace(cloud, &format!("127.{octet}.{third}"));
    }
    let address = format!("127.{octet}.1.11");
    let run = |args: &[&str]| ran_in(folder.path(), &local, args);
    run(&["certs", "init"]).ok();
    run(&["certs", "issue", "--role", "node", "--name", "cp-aws-1", "--san", &address]).ok();
    for (port, what, key) in [(7379, "Raft port", "raft_port"), (8080, "HTTP port", "http_port")] {
        let _holder = TcpListener::bind((address.as_str(), port)).unwrap();
        let start = ["node", "run", "--name", "cp-aws-1", "--data-dir", "data", "--config", "bad.toml"];
        run(&start).code(1).says(&[
            &format!("{what}: {address}:{port} is in use by process {}", std::process::id()),
            &format!("set {key}"),
        ]);
    }
}
