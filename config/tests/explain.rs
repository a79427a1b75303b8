//! `config explain`: meaning, range, default, value and origin of a key; and the way back from a wrong one.

use farquorum_config::{Sources, load, load_text};

#[test]
fn explains_a_derived_value() {
    let explanation = load(&Sources::default()).unwrap().explain("raft.heartbeat_ms").unwrap();
    let expected = "\
raft.heartbeat_ms
  meaning   Time between heartbeats of a leader.
  allowed   a whole number of milliseconds from 1 to 60000
  default   derived from the election timeout: a tenth of it
  variable  FARQUORUM_RAFT__HEARTBEAT_MS
  variable  RAFT_HEARTBEAT_MS
  value     raft.heartbeat_ms = 60 (derived from raft.election_timeout_ms: a tenth of it)
";
    assert_eq!(explanation.to_string(), expected);
}

#[test]
fn explains_a_table_inside_a_link() {
    let text = include_str!("good/measured_and_bursty.toml");
    let loaded = load_text(text, None, &Sources::default()).unwrap();
    let explanation = loaded.explain("links[0].loss_gilbert.leave").unwrap();
    let expected = "\
links[].loss_gilbert.leave
  meaning   Chance of each packet to be the last one of a bad time, which so lasts 1/leave packets on average.
  allowed   a number from 0.000001 to 1
  default   none, must be set
  value     links[0].loss_gilbert.leave = 0.25 (built-in farquorum.toml:14)
";
    assert_eq!(explanation.to_string(), expected);
    let missing = loaded.explain("links.loss_gilbert").unwrap_err();
    assert!(
        missing.starts_with("links.loss_gilbert is a table; its keys: links[].loss_gilbert.enter, "),
        "{missing}"
    );
    let near = loaded.explain("links.jitter_quantile_ms").unwrap_err();
    assert!(near.ends_with("did you mean links[].jitter_quantiles_ms?"), "{near}");
}

#[test]
fn explains_where_values_came_from() {
    let sources = Sources {
        environment: vec![(
            "RAFT_PEERS".to_owned(),
            "cp-aws-1:7001,cp-gcp-1:7002,cp-azure-1:7003".to_owned(),
        )],
        overrides: vec![("lab.seed".to_owned(), "7".to_owned())],
        ..Sources::default()
    };
    let loaded = load(&sources).unwrap();
    let cases = [
        ("lab.seed", "lab.seed = 7 (command line)"),
        ("lab.mtu", "lab.mtu = 1500 (default)"),
        ("nodes[1].raft_port", "nodes[1].raft_port = 7002 of cp-gcp-1 (variable RAFT_PEERS)"),
        ("nodes[1].grpc_port", "nodes[1].grpc_port = 50051 of cp-gcp-1 (derived from ports.grpc)"),
        ("clouds.gcp.region", "clouds.gcp.region = \"us-east4\" (built-in farquorum.toml:"),
        ("workers[3].capacity", "workers[3].capacity = 4 of worker-azure-1 (default)"),
    ];
    for (key, expected) in cases {
        let explanation = loaded.explain(key).unwrap();
        assert_eq!(explanation.values.len(), 1, "{key}: {explanation}");
        assert!(explanation.to_string().contains(expected), "{key}: {explanation}");
    }
    assert_eq!(loaded.explain("nodes.id").unwrap().values.len(), 3);
    assert_eq!(loaded.explain("nodes[].id").unwrap().values.len(), 3);
    assert_eq!(loaded.explain("clouds.<label>.network").unwrap().values.len(), 3);
    assert_eq!(loaded.explain("raft.data_dir").unwrap().values, []);
}

#[test]
fn a_wrong_key_gets_the_nearest_and_a_table_its_keys() {
    let loaded = load(&Sources::default()).unwrap();
    let cases = [
        ("raft.heartbeat", "raft.heartbeat: unknown key; did you mean raft.heartbeat_ms?"),
        ("lease_ms", "lease_ms: unknown key; did you mean tasks.lease_ms?"),
        ("nodes[0].raftport", "nodes[0].raftport: unknown key; did you mean nodes[].raft_port?"),
        ("ports", "ports is a table; its keys: ports.raft, ports.grpc, ports.http, ports.s3"),
    ];
    for (key, expected) in cases {
        assert_eq!(loaded.explain(key).unwrap_err(), expected);
    }
    assert!(loaded.explain("").is_err());
    assert!(loaded.explain("nodes[].").is_err());
}

#[test]
fn a_process_finds_itself_or_says_who_is_there() {
    let config = load(&Sources::default()).unwrap().config;
    assert_eq!(config.require_node("cp-gcp-1").unwrap().id.0, 2);
    let error = config.require_node("cp-gpc-1").unwrap_err();
    let expected =
        "no node cp-gpc-1 in the configuration; did you mean cp-gcp-1? Known: cp-aws-1, cp-gcp-1, cp-azure-1";
    assert_eq!(error.to_string(), expected);
    assert!(config.require_worker("worker-gcp-1").is_ok());
    assert_eq!(config.require_worker("cp-gcp-1").unwrap_err().role, "worker");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |name: &str, content: Option<&[u8]>| {
        let path = folder.path().join(name);
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        load(&Sources { file: Some(path), ..Sources::default() }).unwrap_err().to_string()
    };
    assert!(refused("absent.toml", None).contains("absent.toml: cannot be read: No such file"));
    assert!(refused("binary.toml", Some(b"# fine\n\xff")).contains("not UTF-8 text in line 2"));
    assert!(refused("big.toml", Some(&vec![b'#'; 2 << 20])).contains("has 2097152 bytes"));
    assert!(
        refused("long.toml", Some("[[nodes]]\n".repeat(5_000).as_bytes()))
            .contains("has 5000 elements; at most 4096")
    );
    let unknown: String = (0..150).map(|n| format!("x{n} = 1\n")).collect();
    assert!(
        refused("many.toml", Some(unknown.as_bytes())).ends_with("error: and 54 more"),
        "the list is cut"
    );
    assert!(refused("empty.toml", Some(b"")).contains("nodes ("));
}

#[test]
fn show_names_the_source_of_each_value() {
    let loaded = load_text(farquorum_config::BUILT_IN, None, &Sources::default()).unwrap();
    let shown = loaded.to_toml();
    assert!(
        shown.contains("election_timeout_ms = 600  # derived from the largest RTT, 75 ms (aws-azure)\n"),
        "{shown}"
    );
    assert!(shown.contains("mtu = 1500  # default\n"), "{shown}");
}
