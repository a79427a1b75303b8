//! Context files and how the running simulation is found.
#![allow(clippy::unwrap_used, reason = "tests may")]

use std::fs;
use std::path::{Path, PathBuf};

use farquorum_client::{
    ClientError, Cluster, Context, ContextError, ContextNode, SimContext, StorageContext, Timing, TlsContext,
    discover,
};

fn context(cluster: &str) -> Context {
    let path = |name: &str| PathBuf::from("/certs").join(name);
    Context {
        cluster: cluster.to_owned(),
        nodes: vec![ContextNode {
            id: 1,
            name: "cp-aws-1".to_owned(),
            cloud: "aws".to_owned(),
            grpc: "127.0.0.1:40001".to_owned(),
            http: "127.0.0.1:40002".to_owned(),
        }],
        tls: TlsContext { ca: path("ca/peer.crt"), cert: path("admin.crt"), key: path("admin.key") },
        storage: Some(StorageContext {
            endpoint: "http://127.0.0.1:40003".to_owned(),
            bucket: "pipeline-data".to_owned(),
            credentials: path("s3.toml"),
        }),
        sim: Some(SimContext { name: "default".to_owned(), control: path("control.sock") }),
    }
}

/// The context of a simulation with this name; its cluster has the same one.
fn place(state: &Path, name: &str) {
    let dir = state.join("sim").join(name);
    fs::create_dir_all(&dir).unwrap();
    context(name).save(&dir.join("context.toml")).unwrap();
}

#[test]
fn what_is_saved_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("context.toml");
    let bare = Context { storage: None, sim: None, ..context("bare") };
    for context in [context("lab"), bare] {
        context.save(&path).unwrap();
        assert_eq!(Context::load(&path).unwrap(), context);
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn relative_paths_are_below_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("context.toml");
    let tls = TlsContext { ca: "ca/peer.crt".into(), cert: "a.crt".into(), key: "a.key".into() };
    Context { tls, ..context("lab") }.save(&path).unwrap();
    let loaded = Context::load(&path).unwrap();
    assert_eq!(loaded.tls.ca, dir.path().join("ca/peer.crt"));
    assert_eq!(loaded.tls.key, dir.path().join("a.key"));
    assert_eq!(loaded.sim.unwrap().control, Path::new("/certs/control.sock"));
}

#[test]
fn files_that_are_no_context() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("context.toml");
    let good = toml::to_string(&context("lab")).unwrap();
    let table = [
        ("not = toml =".to_owned(), "line 1"),
        (format!("colour = 1\n{good}"), "colour"),
        (good.replace("grpc = ", "gprc = "), "gprc"),
        (good.replace("cluster = \"lab\"", ""), "cluster"),
        (
            "cluster = \"x\"\nnodes = []\n[tls]\nca = \"\"\ncert = \"\"\nkey = \"\"".to_owned(),
            "nodes is empty",
        ),
    ];
    for (text, expected) in table {
        fs::write(&path, &text).unwrap();
        let error = Context::load(&path).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("context.toml"), "{error}");
    }
}

#[test]
fn the_simulation_that_runs_is_found() {
    let state = tempfile::tempdir().unwrap();
    let none = discover(state.path()).unwrap_err();
    assert!(matches!(none, ContextError::None { .. }) && none.to_string().contains("make sim-up"), "{none}");
    place(state.path(), "one");
    fs::create_dir_all(state.path().join("sim/stopped")).unwrap();
    assert_eq!(discover(state.path()).unwrap().cluster, "one");
    place(state.path(), "two");
    let several = discover(state.path()).unwrap_err().to_string();
    assert!(
        several.contains("sim/one/context.toml") && several.contains("sim/two/context.toml"),
        "{several}"
    );
    place(state.path(), "default");
    assert_eq!(discover(state.path()).unwrap().cluster, "default");
}

#[test]
fn missing_certificates_are_named() {
    let error = Cluster::from_context(&context("lab"), Timing::default()).err().unwrap();
    assert!(
        matches!(error, ClientError::Tls(_)) && error.to_string().contains("/certs/admin.crt"),
        "{error}"
    );
    assert_eq!(error.exit_code(), 2);
}
