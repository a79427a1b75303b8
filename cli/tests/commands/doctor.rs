//! `farquorum doctor` inside a host of the emulated network: its node runs, its peers answer or do not.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lab::{BINARY, Sim};
use crate::ran::{Ran, run};

/// On the host of a node, by the certificates and the configuration of the simulation.
fn doctor(sim: &Sim, name: &str, certs: &str) -> Ran {
    doctor_of(sim, name, &["--certs", certs])
}

fn doctor_of(sim: &Sim, name: &str, more: &[&str]) -> Ran {
    let config = sim.folder().join("farquorum.toml").display().to_string();
    let by = ["sim", "exec", "cp-aws-1", "--", BINARY, "-o", "json", "--config", &config];
    run(sim.command(&[&by[..], &["doctor", "--name", name], more].concat()))
}

/// What was found about something, with its state.
fn states<'a>(report: &'a Value, about: &str) -> Vec<&'a str> {
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["found"].as_str().unwrap().contains(about))
        .map(|check| check["state"].as_str().unwrap())
        .collect()
}

/// Waits until a node leads: the one that was killed may have been it, and the parts that follow need one.
fn leads_again(sim: &Sim) {
    let until = Instant::now() + Duration::from_secs(30);
    while !sim.run(&["status"]).status.success() {
        assert!(Instant::now() < until, "no leader within 30 s");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Well, with a dead peer, with another's certificate, with none.
pub(crate) fn on_a_host(sim: &Sim) {
    let certs = sim.folder().join("certs").display().to_string();
    let well = doctor(sim, "cp-aws-1", &certs).code(0).json();
    for (about, count) in [("is in use, and the node runs", 3), ("answers at", 4), ("may have 1500 bytes", 2)]
    {
        assert_eq!(states(&well, about), vec!["ok"; count], "{about}: {well:#}");
    }
    assert_eq!(states(&well, "the certificate is for spiffe://farquorum/node/cp-aws-1"), ["ok"]);
    assert_eq!(states(&well, "no data folder was named"), ["skipped"]);
    // Its node runs, and holds the folder.
    let data = sim.folder().join("data").join("cp-aws-1").display().to_string();
    let disk = doctor_of(sim, "cp-aws-1", &["--certs", &certs, "--data-dir", &data]).code(0).json();
    assert_eq!(states(&disk, "has room, and its file system is local; "), ["ok"], "{disk:#}");
    assert_eq!(states(&disk, "an fsync takes").len(), 1, "{disk:#}");
    // A worker has none: somebody else's is no place for it.
    let taken = doctor_of(sim, "worker-aws-1", &["--certs", &certs, "--data-dir", &data]).code(1).json();
    assert_eq!(states(&taken, "is in use by"), ["failed"], "{taken:#}");

    sim.verb(&["kill", "cp-azure-1"]);
    let dead = doctor(sim, "cp-aws-1", &certs).code(1).json();
    assert_eq!(states(&dead, "cp-azure-1 (raft): cannot reach"), ["failed"], "{dead:#}");
    assert_eq!(states(&dead, "cp-azure-1 (grpc): cannot reach"), ["failed"], "{dead:#}");
    assert!(dead.to_string().contains("the host is there, but nothing listens: start the node"), "{dead:#}");
    sim.verb(&["restart", "cp-azure-1"]);
    leads_again(sim);

    let nothing = doctor(sim, "cp-aws-1", "/nonexistent").code(1).json();
    assert_eq!(states(&nothing, "cannot read /nonexistent/cp-aws-1.crt"), ["failed"]);
    assert_eq!(states(&nothing, "no certificate to call it with").len(), 4);
    doctor(sim, "nobody", &certs).code(2).says(&["--name \"nobody\" is no host of the configuration"]);
}
