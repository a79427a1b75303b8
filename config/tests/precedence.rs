//! Which source wins: defaults < file < environment < flags, and how topologies and presets fit in.

#![allow(clippy::panic, reason = "a test stops at the first surprise")]

use std::time::Duration;

use farquorum_config::{Config, Loaded, Sources, load, load_text};

/// The built-in topology under these sources.
fn loaded(sources: &Sources) -> Loaded {
    load(sources).unwrap_or_else(|errors| panic!("{errors}"))
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn with_environment(list: &[(&str, &str)]) -> Config {
    loaded(&Sources { environment: pairs(list), ..Sources::default() }).config
}

#[test]
fn the_built_in_topology_is_valid_and_quiet() {
    let loaded = loaded(&Sources::default());
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.config.nodes.len(), 3);
    assert_eq!(loaded.config.links.len(), 6);
    assert_eq!(loaded.config.raft.heartbeat, Duration::from_millis(60));
    assert_eq!(loaded.config.raft.election_timeout, Duration::from_millis(600));
}

#[test]
fn each_layer_beats_the_one_below() {
    let file = "[cluster]\nname = \"x\"\n[clouds.a]\nnetwork = \"10.0.0.0/24\"\n[storage]\ncloud = \"a\"\naddress = \"s3\"\n\
                [[nodes]]\nid = 1\nname = \"n\"\ncloud = \"a\"\naddress = \"n\"\n[raft]\nheartbeat_ms = 101\n";
    let lease = |environment: &[(&str, &str)], flags: &[(&str, &str)]| {
        let mut overrides =
            pairs(&[("cluster.allow_single_node", "true"), ("raft.election_timeout_ms", "2000")]);
        overrides.extend(pairs(flags));
        let sources = Sources { environment: pairs(environment), overrides, ..Sources::default() };
        let loaded = load_text(file, None, &sources).unwrap_or_else(|errors| panic!("{errors}"));
        (loaded.config.raft.heartbeat.as_millis(), loaded.config.tasks.lease.as_millis())
    };
    assert_eq!(lease(&[], &[]), (101, 15_000));
    assert_eq!(lease(&[("RAFT_HEARTBEAT_MS", "102")], &[]), (102, 15_000));
    let both = [("FARQUORUM_RAFT__HEARTBEAT_MS", "103"), ("RAFT_HEARTBEAT_MS", "102")];
    assert_eq!(lease(&both, &[]), (103, 15_000), "the prefixed variable beats the named one");
    assert_eq!(lease(&both, &[("raft.heartbeat_ms", "104")]), (104, 15_000));
    assert_eq!(lease(&both, &[("raft.heartbeat_ms", "104"), ("raft.heartbeat_ms", "105")]), (105, 15_000));
    assert_eq!(lease(&[("FARQUORUM_TASKS__LEASE_MS", "20000")], &[]), (101, 20_000));
}

#[test]
fn empty_and_foreign_variables_change_nothing() {
    let config = with_environment(&[
        ("RAFT_PEERS", ""),
        ("RAFT_HEARTBEAT_MS", " "),
        ("FARQUORUM_CONTEXT", "x"),
        ("FARQUORUM_LOG", "info"),
        ("FARQUORUM_CONFIG", "x"),
        ("FARQUORUM_CACHE", "x"),
        ("FARQUORUM_DATA_DIR", "x"),
        ("FARQUORUM_STATE_DIR", "x"),
        ("PATH", "/bin"),
    ]);
    assert_eq!(config.nodes.len(), 3);
    assert_eq!(config.raft.data_dir, None);
}

#[test]
fn rtt_variables_change_both_directions_of_their_pair_only() {
    let config = with_environment(&[("CROSS_CLOUD_LATENCY_MS", "120"), ("AZURE_LATENCY_MS", "40.5")]);
    let delay = |from, to| config.link(from, to).map(|shape| shape.delay_ms);
    assert_eq!((delay("aws", "gcp"), delay("gcp", "aws")), (Some(60.0), Some(60.0)));
    assert_eq!((delay("aws", "azure"), delay("azure", "aws")), (Some(20.25), Some(20.25)));
    assert_eq!((delay("gcp", "azure"), delay("azure", "gcp")), (Some(30.0), Some(30.0)));
    assert_eq!(config.raft.election_timeout, Duration::from_millis(960), "derived from the changed RTT");
}

#[test]
fn raft_peers_names_the_members_and_their_ports() {
    let config = with_environment(&[
        ("RAFT_PEERS", "cp-azure-1:7001, cp-aws-1:7002"),
        ("FARQUORUM_PORTS__RAFT", "7003"),
    ]);
    let members: Vec<_> =
        config.nodes.iter().map(|node| (node.id.0, node.name.as_str(), node.raft_port)).collect();
    assert_eq!(members, [(1, "cp-aws-1", 7002), (3, "cp-azure-1", 7001)], "ids from the file, ordered by id");
}

#[test]
fn orchestrator_addr_reaches_every_worker() {
    let config = with_environment(&[("ORCHESTRATOR_ADDR", "cp-aws-1:50051,10.20.0.11:50052")]);
    assert_eq!(config.workers.len(), 4);
    for worker in &config.workers {
        assert_eq!(worker.orchestrators, ["cp-aws-1:50051", "10.20.0.11:50052"]);
    }
}

#[test]
fn topologies_replace_the_nodes_and_keep_the_workers() {
    let cases: &[(&str, &[&str], usize)] = &[
        ("three", &["cp-aws-1 10.10.0.11", "cp-gcp-1 10.20.0.11", "cp-azure-1 10.30.0.11"], 0),
        ("sprint1", &["cp-aws-1 10.10.0.11", "cp-gcp-1 10.20.0.11", "cp-gcp-2 10.20.0.12"], 0),
        (
            "five",
            &[
                "cp-aws-1 10.10.0.11",
                "cp-aws-2 10.10.0.12",
                "cp-gcp-1 10.20.0.11",
                "cp-gcp-2 10.20.0.12",
                "cp-azure-1 10.30.0.11",
            ],
            0,
        ),
        (
            "six",
            &[
                "cp-aws-1 10.10.0.11",
                "cp-aws-2 10.10.0.12",
                "cp-aws-3 10.10.0.13",
                "cp-gcp-1 10.20.0.11",
                "cp-gcp-2 10.20.0.12",
                "cp-gcp-3 10.20.0.13",
            ],
            1,
        ),
    ];
    for (name, expected, warnings) in cases {
        let loaded = loaded(&Sources { topology: Some((*name).to_owned()), ..Sources::default() });
        let nodes: Vec<_> =
            loaded.config.nodes.iter().map(|node| format!("{} {}", node.name, node.address)).collect();
        assert_eq!(nodes, *expected, "{name}");
        assert_eq!(loaded.config.workers.len(), 4, "{name}");
        assert_eq!(loaded.warnings.len(), *warnings, "{name}: {:?}", loaded.warnings);
    }
}

#[test]
fn raft_peers_can_name_members_of_a_topology() {
    let environment = pairs(&[("RAFT_PEERS", "cp-gcp-2:7001,cp-gcp-1:7001,cp-aws-1:7001")]);
    let config =
        loaded(&Sources { topology: Some("five".to_owned()), environment, ..Sources::default() }).config;
    let ids: Vec<_> = config.nodes.iter().map(|node| node.id.0).collect();
    assert_eq!(ids, [1, 3, 4]);
}

#[test]
fn a_preset_is_a_flag_and_beats_the_environment() {
    let environment = pairs(&[("CROSS_CLOUD_LATENCY_MS", "10")]);
    let config =
        loaded(&Sources { preset: Some("observed".to_owned()), environment, ..Sources::default() }).config;
    for link in &config.links {
        assert_eq!(link.shape.delay_ms, 121.5, "{} to {}", link.from, link.to);
    }
    assert_eq!(config.local_link.delay_ms, 12.5);
    let seed = loaded(&Sources { preset: Some("seed".to_owned()), ..Sources::default() }).config;
    assert_eq!(
        seed.links,
        loaded(&Sources::default()).config.links,
        "the file's own distances are the preset seed"
    );
}
