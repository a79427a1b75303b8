//! `farquorum render` on files: what is written, what `--check` says, and what is refused. Starts no simulation.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code; Clippy takes only the test functions themselves for it"
)]

#[path = "../lab/ran.rs"]
#[allow(dead_code, reason = "every test binary uses its part")]
mod ran;

use std::path::Path;
use std::process::Command;

use ran::Ran;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// Below the folder of the configuration.
const FILES: [&str; 6] = [
    "terraform/farquorum.auto.tfvars.json",
    "netem/.env",
    "rendered/peers",
    "rendered/firewall.json",
    "rendered/firewall.txt",
    "rendered/hosts",
];

/// A folder with the repository's own farquorum.toml.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../farquorum.toml");
    std::fs::copy(own, folder.path().join("farquorum.toml")).unwrap();
    folder
}

fn ran_with(folder: &TempDir, variables: &[(&str, &str)], args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farquorum"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FARQUORUM_") {
            command.env_remove(name);
        }
    }
    command.arg("render").args(args).current_dir(folder.path()).envs(variables.iter().copied());
    ran::run(command)
}

fn ran(folder: &TempDir, args: &[&str]) -> Ran {
    ran_with(folder, &[], args)
}

fn text(folder: &TempDir, file: &str) -> String {
    std::fs::read_to_string(folder.path().join(file)).unwrap()
}

/// Adds a line at the end of a file.
fn append(folder: &TempDir, file: &str, line: &str) {
    let changed = format!("{}{line}\n", text(folder, file));
    std::fs::write(folder.path().join(file), changed).unwrap();
}

#[test]
fn what_is_written_is_current_and_carries_the_digest_of_the_file() {
    let folder = folder();
    ran(&folder, &[]).ok().prints(&FILES).prints(&["written"]);
    ran(&folder, &["--check"]).ok();
    let digest = hex::encode(Sha256::digest(text(&folder, "farquorum.toml").as_bytes()));
    for file in FILES {
        assert!(text(&folder, file).contains(&digest), "{file}");
        let here = folder.path().display().to_string();
        assert!(!text(&folder, file).contains(&here), "{file} names the folder that it was made in");
    }
    let again = ran(&folder, &["-o", "json"]).ok().json();
    assert_eq!(again["toml_sha256"], digest.as_str());
    for row in again["files"].as_array().unwrap() {
        assert_eq!(row["state"], "current", "{row}");
    }
}

#[test]
fn check_names_each_file_that_is_missing_stale_or_edited_and_the_command_to_run() {
    let folder = folder();
    ran(&folder, &["--check", "peers"])
        .code(1)
        .says(&["rendered/peers is missing", "try: farquorum render peers"]);
    assert!(!folder.path().join("rendered").exists(), "--check wrote something");

    ran(&folder, &[]).ok();
    append(&folder, "netem/.env", "CROSS_CLOUD_LATENCY_MS=5");
    std::fs::remove_file(folder.path().join("rendered/hosts")).unwrap();
    let said = ran(&folder, &["--check"]).code(1).says(&[
        "netem/.env was edited by hand",
        "\n- CROSS_CLOUD_LATENCY_MS=5\n",
        "rendered/hosts is missing",
        "try: farquorum render",
    ]);
    assert!(!said.err.contains("rendered/peers"), "{said}");

    append(&folder, "farquorum.toml", "# one comment more");
    let said = ran(&folder, &["--check"]).code(1);
    for file in FILES.iter().filter(|file| **file != "rendered/hosts") {
        assert!(said.err.contains(&format!("{file} is stale")), "{file}: {said}");
    }
}

#[test]
fn what_a_person_wrote_is_overwritten_only_by_force_and_then_nothing_else_is_lost() {
    let folder = folder();
    ran(&folder, &["peers", "hosts"]).ok();
    append(&folder, "rendered/peers", "mine=10.0.0.1:1");
    std::fs::remove_file(folder.path().join("rendered/hosts")).unwrap();
    let mine = text(&folder, "rendered/peers");
    ran(&folder, &[]).code(4).says(&[
        "nothing was written: rendered/peers was edited by hand:\n- mine=10.0.0.1:1\n",
        "try: put the change into the configuration file or the environment, then farquorum render --force",
    ]);
    assert_eq!(text(&folder, "rendered/peers"), mine);
    assert!(!folder.path().join("rendered/hosts").exists(), "a part was written");
    // A file of somebody's own at that place is no render either.
    std::fs::create_dir(folder.path().join("netem")).unwrap();
    std::fs::write(folder.path().join("netem/.env"), "MINE=1\n").unwrap();
    ran(&folder, &["compose"]).code(4).says(&["netem/.env was not made by farquorum render"]);
    ran(&folder, &["--force"]).ok();
    ran(&folder, &["--check"]).ok();
    // One that is stale is replaced without being asked.
    append(&folder, "farquorum.toml", "# changed");
    ran(&folder, &[]).ok();
    ran(&folder, &["--check"]).ok();
}

#[test]
fn an_override_by_environment_is_never_stale_and_one_by_flag_is_refused() {
    let folder = folder();
    ran(&folder, &[]).ok();
    let before = text(&folder, "netem/.env");
    let variables = [
        ("RAFT_HEARTBEAT_MS", "50"),
        ("CROSS_CLOUD_LATENCY_MS", "200"),
        ("FARQUORUM_CLUSTER__NAME", "other"),
        ("RAFT_PEERS", "nobody:1"),
    ];
    ran_with(&folder, &variables, &["--check"]).ok();
    ran_with(&folder, &variables, &["--force"]).ok();
    assert_eq!(text(&folder, "netem/.env"), before);
    ran(&folder, &["--set", "raft.heartbeat_ms=50"])
        .code(2)
        .says(&["--set raft.heartbeat_ms", "write raft.heartbeat_ms into the configuration file"]);
}

#[test]
fn another_folder_and_another_file() {
    let folder = folder();
    std::fs::rename(folder.path().join("farquorum.toml"), folder.path().join("other.toml")).unwrap();
    ran(&folder, &[]).code(2).says(&["there is no farquorum.toml here", "farquorum render --config FILE"]);
    ran(&folder, &["--config", "none.toml"]).code(2).says(&["none.toml: cannot be read"]);
    let args = ["--config", "other.toml", "--out", "there", "terraform"];
    ran(&folder, &args).ok();
    let tfvars: serde_json::Value =
        serde_json::from_str(&text(&folder, "there/terraform/farquorum.auto.tfvars.json")).unwrap();
    assert_eq!(tfvars["farquorum"]["toml_path"], "other.toml");
    append(&folder, "other.toml", "#");
    ran(&folder, &[&args[..], &["--check"]].concat())
        .code(1)
        .says(&["try: farquorum render --config other.toml --out there terraform"]);
}

#[test]
fn what_cannot_be_rendered_is_refused_with_what_is_missing_and_nothing_is_written() {
    let folder = folder();
    let own = text(&folder, "farquorum.toml");
    let lake = own.replace("[clouds.azure]", "[clouds.lake]").replace("\"azure\"", "\"lake\"");
    std::fs::write(folder.path().join("farquorum.toml"), &lake).unwrap();
    ran(&folder, &[]).code(2).says(&[
        "render terraform: clouds.lake.provider is not set",
        "write provider = \"aws\", \"gcp\" or \"azure\" in [clouds.lake]",
    ]);
    assert!(!folder.path().join("rendered").exists(), "a part was written");
    ran(&folder, &["peers"]).ok();
    let named = lake.replace("[clouds.lake]", "[clouds.lake]\nprovider = \"azure\"");
    std::fs::write(folder.path().join("farquorum.toml"), named).unwrap();
    ran(&folder, &[]).ok();
    std::fs::write(folder.path().join("farquorum.toml"), "[raft]\nheartbeet_ms = 1\n").unwrap();
    ran(&folder, &[]).code(2).says(&["did you mean raft.heartbeat_ms?"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = folder();
    std::fs::write(folder.path().join("rendered"), "a file\n").unwrap();
    ran(&folder, &["peers"]).code(1).says(&["rendered"]);
}
