//! An imported context talks to a real cluster: what Terraform would print of the simulation becomes one.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::lab::{Sim, file};
use crate::ran::{Ran, run};

/// A command that knows the state folder only.
fn ran(sim: &Sim, args: &[&str]) -> Ran {
    let mut command = sim.lab.command();
    command.args(args);
    run(command)
}

/// What the root modules' outputs are, with the simulation's addresses.
fn outputs(sim: &Sim) -> String {
    let context = sim.context();
    let toml = std::fs::read(sim.folder().join("farquorum.toml")).unwrap();
    let node = |node: &farquorum_client::ContextNode| {
        let value = json!({ "id": node.id, "cloud": node.cloud, "api": node.grpc, "raft": node.grpc });
        (node.name.clone(), value)
    };
    let nodes: Map<String, Value> = context.nodes.iter().map(node).collect();
    let digest = hex::encode(Sha256::digest(toml));
    let outputs = json!({
        "farquorum_cluster": { "value": { "name": context.cluster, "toml_sha256": digest, "connectivity": "public" } },
        "farquorum_nodes": { "value": nodes },
    });
    file(&sim.lab, "outputs.json", outputs.to_string())
}

/// `status` sees the same cluster through the flag, and through the context in use.
pub(crate) fn imported(sim: &Sim) {
    let config = sim.folder().join("farquorum.toml").display().to_string();
    let certs = sim.folder().join("certs").display().to_string();
    let import =
        ["context", "import", &outputs(sim), "--name", "cloud", "--config", &config, "--certs", &certs];
    ran(sim, &import).ok();
    let nodes = |status: &Value| {
        let nodes = status["nodes"].as_array().unwrap().iter();
        nodes.map(|node| (node["name"].clone(), node["id"].clone())).collect::<Vec<_>>()
    };
    let expected = nodes(&sim.json(&["status"]));
    assert_eq!(nodes(&ran(sim, &["status", "--context", "cloud", "-o", "json"]).ok().json()), expected);
    ran(sim, &["kv", "set", "through", "a context", "--context", "cloud"]).ok();

    ran(sim, &["context", "use", "cloud"]).ok();
    assert_eq!(nodes(&ran(sim, &["status", "-o", "json"]).ok().json()), expected);
    ran(sim, &["context", "show"]).ok().prints(&["name         cloud", "objects      s3://pipeline-data"]);
    let own = format!("sim:{}", sim.name);
    ran(sim, &["context", "list"]).ok().prints(&["cloud", &own]);
    ran(sim, &["kv", "get", "through", "--context", &own]).ok().prints(&["a context"]);
    ran(sim, &["context", "use", "--none"]).ok();
    ran(sim, &["context", "show"]).ok().prints(&[&own]);
}
