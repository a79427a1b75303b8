//! `sim up --topology` and `sim up --no-cluster`: who is where, and what the bare network can and cannot do.

use std::collections::BTreeMap;

use crate::lab::ran::{Ran, run};
use crate::lab::{Lab, Sim, text};

/// A named topology: its nodes by cloud, and what its start warns of.
struct Case {
    name: &'static str,
    nodes: &'static [(&'static str, usize)],
    warns: Option<&'static str>,
}

/// `three`, the built-in one, is what all other tests run on.
const CASES: &[Case] = &[
    Case { name: "sprint1", nodes: &[("aws", 1), ("gcp", 2)], warns: None },
    Case { name: "five", nodes: &[("aws", 2), ("gcp", 2), ("azure", 1)], warns: None },
    Case { name: "six", nodes: &[("aws", 3), ("gcp", 3)], warns: Some("an even number") },
];

#[test]
fn every_topology_has_its_nodes_where_they_belong_and_one_leads() {
    let Some(lab) = Lab::enter() else { return };
    for case in CASES {
        let sim = lab.adopt(&lab.name());
        let up = sim.run(&["sim", "up", "--topology", case.name]);
        assert!(up.status.success(), "{}: {}", case.name, text(&up.stderr));
        let warnings = text(&up.stderr);
        match case.warns {
            Some(words) => assert!(warnings.contains(words), "{}: {warnings:?}", case.name),
            None => assert_eq!(warnings, "", "{}", case.name),
        }
        is_placed(&sim, case);
        is_led(&sim, case);
    }
}

/// As many nodes as it should have in each cloud, named after it and inside its network.
fn is_placed(sim: &Sim, case: &Case) {
    let networks = BTreeMap::from([("aws", "10.10.0."), ("gcp", "10.20.0."), ("azure", "10.30.0.")]);
    let status = sim.json(&["sim", "status"]);
    let mut nodes: Vec<(String, String, String)> = Vec::new();
    for host in status["hosts"].as_array().unwrap().iter().filter(|host| host["role"] == "node") {
        let field = |name: &str| host[name].as_str().unwrap().to_owned();
        assert_eq!(field("state"), "running", "{}: {host}", case.name);
        nodes.push((field("name"), field("cloud"), field("address")));
    }
    let mut expected = Vec::new();
    for (cloud, count) in case.nodes {
        expected.extend((1..=*count).map(|n| {
            let address = format!("{}{}", networks[cloud], 10 + n);
            (format!("cp-{cloud}-{n}"), (*cloud).to_owned(), address)
        }));
    }
    nodes.sort();
    expected.sort();
    assert_eq!(nodes, expected, "{}", case.name);
}

/// One leader, whom all the others follow.
fn is_led(sim: &Sim, case: &Case) {
    let status = sim.json(&["status"]);
    let nodes = status["nodes"].as_array().unwrap();
    let count: usize = case.nodes.iter().map(|(_, count)| count).sum();
    assert_eq!(nodes.len(), count, "{}: {status}", case.name);
    let leaders = nodes.iter().filter(|node| node["role"] == "leader").count();
    assert_eq!(leaders, 1, "{}: {status}", case.name);
    assert!(nodes.iter().any(|node| node["name"] == status["leader"]), "{}: {status}", case.name);
}

/// SIM-8. The start itself fails when a link is not as configured; what is configured is what the preset says.
#[test]
fn every_preset_is_the_network_that_it_names() {
    let Some(lab) = Lab::enter() else { return };
    let printed = run({
        let mut command = lab.command();
        command.args(["sim", "presets", "-o", "json"]);
        command
    });
    let presets = printed.code(0).json();
    let presets = presets["presets"].as_array().unwrap();
    assert_eq!(presets.len(), 8, "{presets:?}");
    for preset in presets {
        let name = preset["name"].as_str().unwrap();
        let sim = lab.up(&["--no-cluster", "--preset", name]);
        let checked = sim.json(&["sim", "check"]);
        let pairs = checked["pairs"].as_array().unwrap();
        assert_eq!(pairs.len(), 6, "{name}: {checked}");
        for pair in pairs {
            let named = preset["rtt_ms"].as_array().unwrap().iter().find(|rtt| {
                let ends = [&rtt[0], &rtt[1]];
                ends.contains(&&pair["from"]) && ends.contains(&&pair["to"])
            });
            let expected = named.map_or(&preset["across_ms"], |rtt| &rtt[2]).as_f64().unwrap();
            let configured = pair["configured_ms"].as_f64().unwrap();
            assert!((configured - expected).abs() < 1e-6, "{name}: {pair}, {expected} ms are published");
        }
        assert_eq!(sim.json(&["sim", "status"])["preset"], name);
        sim.down(true);
    }
}

#[test]
fn without_a_cluster_there_is_a_network_and_nobody_to_kill() {
    let Some(lab) = Lab::enter() else { return };
    let sim = lab.adopt(&lab.name());
    let up = run(sim.command(&["sim", "up", "--no-cluster"])).ok();
    for verb in ["check", "link", "exec", "down"] {
        assert!(suggests(&up, &sim, verb), "{verb}: {}", up.text());
    }
    assert!(!suggests(&up, &sim, "kill"), "{}", up.text());
    for needs_a_cluster in ["who leads", "kv set", "job run"] {
        assert!(!up.text().contains(needs_a_cluster), "{}", up.text());
    }
    let checked = sim.json(&["sim", "check"]);
    assert_eq!(checked["problems"], serde_json::json!([]), "{checked}");
    let inside = ["sim", "exec", "worker-aws-1", "--", "bash", "-c", "echo inside $FARQUORUM_HOST"];
    assert_eq!(sim.ok(&inside), "inside worker-aws-1\n");

    let verbs = [["kill", "leader"], ["kill", "cp-aws-1"], ["pause", "leader"], ["restart", "cp-aws-1"]];
    for verb in verbs {
        run(sim.command(&[&["sim"], &verb[..]].concat())).code(4).says(&[
            "this simulation is only the network (sim up --no-cluster)",
            "farquorum sim exec HOST -- PROGRAM",
        ]);
    }
}

/// Whether a start named this verb among the next commands.
fn suggests(up: &Ran, sim: &Sim, verb: &str) -> bool {
    up.text().contains(&format!("farquorum sim --name {} {verb}", sim.name))
}
