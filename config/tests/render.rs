//! What is rendered, byte for byte: every folder of `tests/render` holds a `farquorum.toml` and beside it the files, or
//! `refused` with what the targets miss. `FARQUORUM_UPDATE=1` writes them, for a person to read.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use farquorum_config::render::{Rendered, Source, Target, render};
use farquorum_config::{BUILT_IN, Config, Sources, load_text};

/// Any digest: that a render carries the one it is given is what counts here.
const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn config(text: &str) -> Config {
    load_text(text, None, &Sources::default()).unwrap_or_else(|errors| panic!("{errors}")).config
}

/// Path -> text.
fn rendered(config: &Config) -> BTreeMap<String, String> {
    let source = Source { config, sha256: DIGEST, file: "farquorum.toml" };
    match render(&source, &Target::ALL) {
        Ok(files) => files.into_iter().map(|Rendered { path, text, .. }| (path.to_owned(), text)).collect(),
        Err(errors) => BTreeMap::from([("refused".to_owned(), format!("{errors}\n"))]),
    }
}

/// Files below `folder` but the configuration.
fn expected(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(at) = todo.pop() {
        for path in std::fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            if path.is_dir() {
                todo.push(path);
            } else if name != "farquorum.toml" {
                files.insert(name, std::fs::read_to_string(path).unwrap());
            }
        }
    }
    files
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/render");
    let mut cases: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(!cases.is_empty(), "no cases");
    cases
}

#[test]
fn every_case_renders_these_files() {
    for case in cases() {
        let text = std::fs::read_to_string(case.join("farquorum.toml")).unwrap();
        let got = rendered(&config(&text));
        if std::env::var_os("FARQUORUM_UPDATE").is_some() {
            for (path, text) in &got {
                let path = case.join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
        }
        assert_eq!(got, expected(&case), "{} (FARQUORUM_UPDATE=1 accepts)", case.display());
    }
}

/// Also a test of the names: the digest is in each file, and each is asked for by one target.
#[test]
fn the_built_in_configuration_renders_and_each_file_carries_the_digest() {
    let config = config(BUILT_IN);
    let all = rendered(&config);
    assert_eq!(all.len(), 6, "{:?}", all.keys());
    for (path, text) in &all {
        assert!(text.contains(DIGEST), "{path}");
        assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{path}");
        assert!(path.ends_with("tfvars.json") || text.contains("farquorum render; do not edit"));
    }
    let source = Source { config: &config, sha256: DIGEST, file: "farquorum.toml" };
    let one_by_one: BTreeMap<String, String> = Target::ALL
        .into_iter()
        .flat_map(|target| render(&source, &[target, target]).unwrap())
        .map(|file| (file.path.to_owned(), file.text))
        .collect();
    assert_eq!(one_by_one, all);
}

/// A value that compose takes for a variable, a quote or a comment would not arrive as it was written.
#[test]
fn the_environment_file_holds_plain_words_only() {
    let env = rendered(&config(BUILT_IN)).remove("netem/.env").unwrap();
    for line in env.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")) {
        let (name, value) = line.trim_start_matches('#').split_once('=').unwrap();
        assert!(name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'), "{line}");
        assert!(value.bytes().all(|b| b.is_ascii_alphanumeric() || b"./:-".contains(&b)), "{line}");
    }
}

/// What stands commented out is what holds when nothing is set, and setting it to that changes nothing.
#[test]
fn the_commented_tunables_are_the_effective_values() {
    let env = rendered(&config(BUILT_IN)).remove("netem/.env").unwrap();
    let offered: Vec<(String, String)> = env
        .lines()
        .filter_map(|line| line.strip_prefix('#')?.split_once('='))
        .filter(|(name, _)| !name.contains(' '))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let names: Vec<&str> = offered.iter().map(|(name, _)| name.as_str()).collect();
    let tunables =
        ["RAFT_HEARTBEAT_MS", "RAFT_ELECTION_TIMEOUT_MS", "CROSS_CLOUD_LATENCY_MS", "AZURE_LATENCY_MS"];
    assert_eq!(names, tunables);
    let sources = Sources { environment: offered, ..Sources::default() };
    let set = load_text(BUILT_IN, None, &sources).unwrap().config;
    let json = |config: &Config| serde_json::to_value(config).unwrap();
    assert_eq!(json(&set), json(&config(BUILT_IN)));
}
