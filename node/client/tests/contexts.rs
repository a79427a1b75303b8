//! Context files and how the running simulation is found.
#![allow(clippy::unwrap_used, reason = "tests may")]

use std::fs;
use std::path::{Path, PathBuf};

use farquorum_client::{
    ClientError, Cluster, Context, ContextError, ContextNode, Contexts, Place, SimContext, StorageContext,
    Timing, TlsContext,
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
            url: "s3://pipeline-data".to_owned(),
            endpoint: Some("http://127.0.0.1:40003".to_owned()),
            ca: None,
            region: "us-east-1".to_owned(),
            account: None,
            credentials: Some(path("s3.toml")),
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
    let storage = context("lab").storage.map(|storage| StorageContext {
        endpoint: Some("https://localhost:9000".to_owned()),
        ca: Some("store-ca.pem".into()),
        credentials: Some("keys.toml".into()),
        ..storage
    });
    Context { tls, storage, ..context("lab") }.save(&path).unwrap();
    let loaded = Context::load(&path).unwrap();
    let storage = loaded.storage.unwrap();
    assert_eq!(storage.ca.unwrap(), dir.path().join("store-ca.pem"));
    assert_eq!(storage.credentials.unwrap(), dir.path().join("keys.toml"));
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
fn a_region_is_asked_for_where_one_matters() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("context.toml");
    let good = toml::to_string(&context("lab")).unwrap().replace("region = \"us-east-1\"\n", "");
    let load = |text: &str| {
        fs::write(&path, text).unwrap();
        Context::load(&path).map(|context| context.storage.unwrap().region)
    };
    assert_eq!(load(&good).unwrap(), "us-east-1", "a server at an address");
    let elsewhere = good.replace("endpoint = \"http://127.0.0.1:40003\"\n", "");
    assert_eq!(load(&elsewhere.replace("s3://", "gs://")).unwrap(), "us-east-1", "another cloud");
    let error = load(&elsewhere).unwrap_err().to_string();
    assert!(error.contains("context.toml") && error.contains("region is missing below [storage]"), "{error}");
    assert!(error.contains("add region = ") && error.contains("--bucket pipeline-data"), "{error}");
    let named = elsewhere.replace("url = ", "region = \"eu-central-1\"\nurl = ");
    assert_eq!(load(&named).unwrap(), "eu-central-1");
}

#[test]
fn the_simulation_that_runs_is_found() {
    let state = tempfile::tempdir().unwrap();
    let discover = || Contexts::new(state.path()).chosen().and_then(|place| place.load());
    let none = discover().unwrap_err();
    assert!(matches!(none, ContextError::None { .. }) && none.to_string().contains("make sim-up"), "{none}");
    place(state.path(), "one");
    fs::create_dir_all(state.path().join("sim/stopped")).unwrap();
    assert_eq!(discover().unwrap().cluster, "one");
    place(state.path(), "two");
    let several = discover().unwrap_err().to_string();
    assert!(
        several.contains("sim/one/context.toml") && several.contains("sim/two/context.toml"),
        "{several}"
    );
    place(state.path(), "default");
    assert_eq!(discover().unwrap().cluster, "default");
}

#[test]
fn a_context_in_use_goes_before_the_simulation() {
    let state = tempfile::tempdir().unwrap();
    let contexts = Contexts::new(state.path());
    let names = || contexts.all().into_iter().map(|place| place.name).collect::<Vec<_>>();
    let chosen = || contexts.chosen().map(|place| place.load().unwrap().cluster);
    place(state.path(), "default");
    fs::create_dir_all(contexts.folder()).unwrap();
    for name in ["prod", "before"] {
        context(name).save(&contexts.imported(name).unwrap().path).unwrap();
    }
    fs::write(contexts.folder().join("Not a name.toml"), "").unwrap();
    assert_eq!(names(), ["before", "prod", "sim:default"]);
    assert_eq!(chosen().unwrap(), "default");

    contexts.set_in_use(Some("prod")).unwrap();
    assert_eq!(chosen().unwrap(), "prod");
    assert_eq!(names(), ["before", "prod", "sim:default"], "what is in use is no context itself");
    let unknown = contexts.set_in_use(Some("prdo")).unwrap_err().to_string();
    assert_eq!(unknown, "there is no context \"prdo\"; there are: before, prod, sim:default");
    contexts.set_in_use(Some("sim:default")).unwrap();
    assert_eq!(chosen().unwrap(), "default");

    contexts.set_in_use(Some("prod")).unwrap();
    fs::remove_file(contexts.imported("prod").unwrap().path).unwrap();
    let gone = chosen().unwrap_err().to_string();
    assert!(gone.contains("prod, is not there any more") && gone.contains("use --none"), "{gone}");
    contexts.set_in_use(None).unwrap();
    contexts.set_in_use(None).unwrap();
    assert_eq!(chosen().unwrap(), "default");
}

#[test]
fn a_context_is_named_by_its_name_or_its_file() {
    let state = tempfile::tempdir().unwrap();
    let contexts = Contexts::new(state.path());
    place(state.path(), "one");
    assert_eq!(contexts.named("sim:one").unwrap().path, state.path().join("sim/one/context.toml"));
    assert!(matches!(contexts.named("one").unwrap_err(), ContextError::Unknown { .. }));
    for file in ["./sim:one", "here.toml", "/a/b"] {
        assert_eq!(Place::of_file(Path::new(file)).unwrap().path, Path::new(file));
    }
    assert_eq!(Place::of_file(Path::new("sim:one")), None);
    for name in ["", "../prod", "a.b", "PROD", "sim:one", &"a".repeat(64)] {
        let error = contexts.imported(name).unwrap_err().to_string();
        assert!(error.contains("1 to 63 of a-z"), "{error}");
    }
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
