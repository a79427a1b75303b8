//! `farquorum certs`, and clients whose certificate does not do.

use std::path::{Path, PathBuf};

use crate::lab::{Sim, file};
use crate::ran::{Ran, run};

fn certs(sim: &Sim, args: &[&str]) -> Ran {
    let mut command = sim.lab.command();
    command.arg("certs").args(args);
    run(command)
}

/// Makes authorities below the state folder and issues `role/name`; gives the folder.
fn authority(sim: &Sim, folder: &str, role: &str, name: &str) -> PathBuf {
    certs(sim, &["init", "--dir", folder]).ok().prints(&["made the authorities of farquorum"]);
    let issued = certs(sim, &["issue", "--dir", folder, "--role", role, "--name", name]).ok();
    issued.prints(&[&format!("spiffe://farquorum/{role}/{name}")]);
    sim.lab.state.path().join(folder)
}

/// What is issued can be shown, and is not replaced by accident.
pub(crate) fn round_trip(sim: &Sim) {
    let dir = authority(sim, "own", "client", "alice");
    let file = dir.join("alice.crt").display().to_string();
    certs(sim, &["show", &file]).ok().prints(&[
        "identity     spiffe://farquorum/client/alice",
        "subject      CN=alice",
        "client authority",
    ]);
    let before = std::fs::read(&file).unwrap();
    certs(sim, &["init", "--dir", "own"]).code(4).says(&["already there", "try: another --dir"]);
    let shown = certs(sim, &["show", &file, "-o", "json"]).ok().json();
    assert_eq!(shown["identity"], "spiffe://farquorum/client/alice");
    assert!(shown["not_after"].as_str().unwrap().ends_with('Z'), "{shown}");
    let again = ["issue", "--dir", "own", "--role", "client", "--name", "alice"];
    certs(sim, &again).code(4).says(&["alice.crt is already there", "--force"]);
    assert_eq!(std::fs::read(&file).unwrap(), before);
    certs(sim, &[&again[..], &["--force"]].concat()).ok();
    assert_ne!(std::fs::read(&file).unwrap(), before);

    let node = ["issue", "--dir", "own", "--role", "node", "--name", "n1", "--san", "192.0.2.1"];
    certs(sim, &node).ok();
    certs(sim, &["show", "own/n1.crt"]).ok().prints(&["peer authority", "192.0.2.1"]);
    certs(sim, &["show", "own/alice.key"]).code(2).says(&["alice.key", "there is no CERTIFICATE section"]);
    certs(sim, &["show", "own/bob.crt"]).code(2).says(&["cannot read own/bob.crt"]);
    certs(sim, &["issue", "--dir", "none", "--role", "admin", "--name", "a"]).code(2).says(&["none/ca/"]);
    let wrong: &[(&[&str], &str)] = &[
        (&["--role", "client", "--name", ""], "name"),
        (&["--role", "client", "--name", "x", "--days", "0"], "--days"),
        (&["--role", "client", "--name", "x", "--days", "100000"], "days of validity"),
        (&["--role", "client", "--name", "x", "--san", "192.0.2.1"], "--san is for nodes"),
        (&["--role", "node", "--name", "x", "--san", "bad name!"], "must be an IP address, or a DNS name"),
    ];
    for (args, words) in wrong {
        certs(sim, &[&["issue", "--dir", "own"], *args].concat()).code(2).says(&[words]);
    }
    assert!(!dir.join("x.crt").exists());
}

/// Another authority's certificate, a worker's, none at all, and a cluster that is not the expected one.
pub(crate) fn refused(sim: &Sim) {
    let own = sim.folder().join("certs");
    let other = authority(sim, "other", "admin", "admin");
    let client = |ca: &Path, folder: &Path, name: &str, args: &[&str]| {
        let context = context(sim, ca, folder, name);
        let mut command = sim.lab.command();
        command.args(["--context", &context, "--timeout", "2"]).args(args);
        run(command)
    };
    let before = sim.json(&["status"])["leader"].clone();

    let methods: [(&[&str], &str, &str); 2] = [
        (&["transfer"], "ClusterService/TransferLeader", "allowed: admin"),
        (&["kv", "set", "from-a-worker", "x"], "KvService/Set", "allowed: client, admin"),
    ];
    for (args, method, allowed) in methods {
        client(&own, &own, "worker-aws-1", args).code(4).says(&[
            "PERMISSION",
            &format!("spiffe://farquorum/worker/worker-aws-1 may not call /farquorum.v1.{method}"),
            "the role worker is not allowed to",
            allowed,
        ]);
    }
    for args in [&["transfer"][..], &["kv", "get", "two"], &["kv", "set", "from-outside", "x"]] {
        client(&own, &other, "admin", args).code(4).says(&["does not accept this certificate"]);
    }
    client(&own, &other, "admin", &["status"]).code(4).says(&[
        "every node refused to answer, so who leads is not known",
        "does not accept this certificate",
    ]);
    client(&other, &own, "admin", &["kv", "get", "two"])
        .code(3)
        .says(&["not available within 2.0s", "invalid peer certificate: UnknownIssuer"]);
    client(&own, &own, "nobody", &["kv", "get", "two"]).code(2).says(&["cannot read", "nobody.crt"]);

    let without = std::fs::read_to_string(sim.context_file()).unwrap();
    let without: Vec<&str> = without.lines().filter(|line| !line.starts_with("cert = ")).collect();
    let context = file(&sim.lab, "client/without.toml", without.join("\n"));
    let mut command = sim.lab.command();
    command.args(["--context", &context, "transfer"]);
    run(command).code(2).says(&["without.toml is not a context file", "missing field `cert`"]);

    assert_eq!(sim.json(&["status"])["leader"], before, "a refused client moved the leader");
    for key in ["from-a-worker", "from-outside"] {
        sim_get_absent(sim, key);
    }
}

fn sim_get_absent(sim: &Sim, key: &str) {
    run(sim.command(&["kv", "get", key])).code(1).says(&["there is no key"]);
}

/// The simulation's context with another authority and another certificate.
fn context(sim: &Sim, ca: &Path, folder: &Path, name: &str) -> String {
    let mut context: toml::Table =
        toml::from_str(&std::fs::read_to_string(sim.context_file()).unwrap()).unwrap();
    let tls = context["tls"].as_table_mut().unwrap();
    let files = [
        ("ca", ca.join("ca/peer.crt")),
        ("cert", folder.join(format!("{name}.crt"))),
        ("key", folder.join(format!("{name}.key"))),
    ];
    for (key, path) in files {
        tls.insert(key.to_owned(), path.display().to_string().into());
    }
    file(&sim.lab, "client/context.toml", toml::to_string(&context).unwrap())
}
