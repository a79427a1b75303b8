//! ARCHITECTURE.md's invariants, as far as manifests and source text show them. A broken boundary fails here with the
//! file that broke it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code; Clippy takes only the test functions themselves for it"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Crate name -> names of its direct dependencies (not those for tests).
fn manifests() -> BTreeMap<String, BTreeSet<String>> {
    let workspace = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let workspace: toml::Table = toml::from_str(&workspace).unwrap();
    let members = workspace["workspace"]["members"].as_array().unwrap();
    let read = |member: &toml::Value| {
        let path = root().join(member.as_str().unwrap()).join("Cargo.toml");
        let manifest: toml::Table = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let name = manifest["package"]["name"].as_str().unwrap().to_owned();
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
        (name, dependencies.map(|table| table.keys().cloned().collect()).unwrap_or_default())
    };
    members.iter().map(read).collect()
}

/// Direct and indirect dependencies among the workspace's own crates, and every outside crate that they name.
fn reachable(from: &str) -> BTreeSet<String> {
    let manifests = manifests();
    let mut seen = BTreeSet::new();
    let mut todo = vec![from.to_owned()];
    while let Some(name) = todo.pop() {
        for dependency in manifests.get(&name).into_iter().flatten() {
            if seen.insert(dependency.clone()) {
                todo.push(dependency.clone());
            }
        }
    }
    seen
}

fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut todo = vec![root()];
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                todo.push(path);
            } else if name.ends_with(".rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                files.push((path.strip_prefix(root()).unwrap().display().to_string(), text));
            }
        }
    }
    files.sort();
    assert!(files.len() > 50, "the sources are not where this test looks");
    files
}

/// Files outside `allowed` whose text holds `word`.
fn files_with(word: &str, allowed: &[&str]) -> Vec<String> {
    let this = "cli/tests/architecture.rs";
    sources()
        .into_iter()
        .filter(|(path, text)| {
            path != this && text.contains(word) && !allowed.iter().any(|a| path.starts_with(a))
        })
        .map(|(path, _)| path)
        .collect()
}

#[test]
fn the_pure_crates_stay_pure() {
    let impure = [
        "tokio",
        "tonic",
        "rocksdb",
        "rand",
        "rand_chacha",
        "nix",
        "libc",
        "axum",
        "hyper",
        "object_store",
        "rustls",
        "figment",
        "tracing",
    ];
    for name in ["farquorum-core", "farquorum-driver"] {
        let found: Vec<String> =
            reachable(name).into_iter().filter(|d| impure.contains(&d.as_str())).collect();
        assert!(found.is_empty(), "{name} depends on {found:?}");
    }
    assert!(!reachable("farquorum-core").contains("raft"), "core knows raft-rs");
}

#[test]
fn the_pure_parts_read_no_clock() {
    let pure = ["node/core/src/", "node/driver/src/", "netem/src/model/"];
    for word in ["Instant::now", "SystemTime::now", "thread_rng", "std::fs", "std::net", "std::env"] {
        let found: Vec<String> = files_with(word, &[])
            .into_iter()
            .filter(|path| pure.iter().any(|p| path.starts_with(p)))
            .collect();
        assert!(found.is_empty(), "{word} in {found:?}");
    }
}

#[test]
fn one_crate_knows_each_library() {
    for (library, owners) in [
        ("raft", vec!["farquorum-driver"]),
        ("rocksdb", vec!["farquorum-node"]),
        ("tokio-rustls", vec!["farquorum-tls"]),
        ("rcgen", vec!["farquorum-tls"]),
        ("rustls", vec!["farquorum-storage", "farquorum-tls"]),
        ("object_store", vec!["farquorum-storage"]),
        ("figment", vec!["farquorum-config"]),
    ] {
        let users: Vec<String> = manifests()
            .into_iter()
            .filter(|(_, deps)| deps.contains(library))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(users, owners, "users of {library}");
    }
}

#[test]
fn rocksdb_stays_in_storage() {
    let found = files_with("rocksdb::", &["node/src/storage/", "node/tests/storage"]);
    assert!(found.is_empty(), "rocksdb outside node/src/storage: {found:?}");
}

#[test]
fn workers_and_clients_do_not_need_the_node() {
    for name in
        ["farquorum-worker", "farquorum-client", "farquorum-storage", "farquorum-netem", "farquorum-tls"]
    {
        let reached = reachable(name);
        assert!(
            !reached.contains("farquorum-node") && !reached.contains("rocksdb"),
            "{name} reaches the node"
        );
    }
}

#[test]
fn the_environment_is_read_by_config_and_the_command_line_only() {
    let allowed = ["config/src/environment.rs", "cli/", "proto/build.rs"];
    let tests = |path: &String| path.contains("/tests/") || path.contains("tests.rs");
    let found: Vec<String> = ["env::var", "env::vars"]
        .iter()
        .flat_map(|w| files_with(w, &allowed))
        .filter(|p| !tests(p))
        .collect();
    assert!(found.is_empty(), "the environment is read in {found:?}");
}

#[test]
fn files_are_one_idea_each() {
    let sources = sources();
    let mut lengths: Vec<usize> = sources.iter().map(|(_, text)| text.lines().count()).collect();
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median <= 200, "the median file has {median} lines");
    let long: Vec<&String> =
        sources.iter().filter(|(_, text)| text.lines().count() > 600).map(|(path, _)| path).collect();
    assert!(long.is_empty(), "over 600 lines: {long:?}");
    let silent: Vec<&String> =
        sources.iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "no purpose at the top: {silent:?}");
}
