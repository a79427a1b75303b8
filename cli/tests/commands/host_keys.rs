//! A key made on a host, signed elsewhere, installed, and renewed: by commands and pipes alone.

use std::fs;

use crate::lab::{BINARY, Sim};
use crate::ran::{Ran, run, run_with};

fn certs(sim: &Sim, args: &[&str]) -> Ran {
    let mut command = sim.lab.command();
    command.arg("certs").args(args);
    run(command)
}

fn certs_with(sim: &Sim, args: &[&str], input: &[u8]) -> Ran {
    let mut command = sim.lab.command();
    command.arg("certs").args(args);
    run_with(command, input)
}

/// The value behind a label of what `request` or `sign` says aside.
fn said(ran: &Ran, label: &str) -> String {
    let line = ran.err.lines().find(|line| line.trim_start().starts_with(label)).unwrap();
    line.split_whitespace().last().unwrap().to_owned()
}

/// From nothing to a certificate on the host, and to the next one.
pub(crate) fn round_trip(sim: &Sim) {
    let folder = |name: &str| sim.lab.state.path().join(name);
    certs(sim, &["init", "--dir", "signer"]).ok();
    let request = ["request", "--dir", "host", "--name", "cp-aws-1"];
    let asked = certs(sim, &request).code(0).says(&["spiffe://farquorum/node/cp-aws-1", "host/cp-aws-1.key"]);
    let fingerprint = said(&asked, "fingerprint");
    let sign = ["sign", "-", "--dir", "signer", "--fingerprint", &fingerprint];
    let signed = certs_with(sim, &sign, &asked.out)
        .code(0)
        .says(&["signed spiffe://farquorum/node/cp-aws-1", &fingerprint]);
    assert!(!signed.text().contains("PRIVATE KEY") && !folder("signer/cp-aws-1.key").exists());
    certs_with(sim, &["install", "--dir", "host"], &signed.out)
        .code(0)
        .prints(&["installed spiffe://farquorum/node/cp-aws-1"]);

    certs(sim, &["renew", "--dir", "host"]).ok().prints(&["cp-aws-1: not due for another 14"]);
    certs(sim, &["renew", "--dir", "host", "--now"])
        .code(1)
        .says(&["peer.key", "name the command that signs"]);
    let files =
        || (fs::read(folder("host/cp-aws-1.crt")).unwrap(), fs::read(folder("host/cp-aws-1.key")).unwrap());
    let before = files();
    let by = [
        "renew", "--dir", "host", "--now", "--", BINARY, "certs", "sign", "-", "--dir", "signer", "--days",
        "2",
    ];
    certs(sim, &by)
        .code(0)
        .says(&["renewed spiffe://farquorum/node/cp-aws-1 for 2 days"])
        .prints(&["cp-aws-1: renewed; it holds for 4"]);
    let after = files();
    assert!(before.0 != after.0 && before.1 == after.1, "a new certificate for the same key");
    for (signer, says) in
        [("false", "false: ended with exit status: 1"), ("true", "no line of it starts with")]
    {
        certs(sim, &["renew", "--dir", "host", "--now", "--", signer]).code(1).says(&[says]);
    }
    assert_eq!(files(), after, "a signer that fails changes nothing");
}

/// What a host may not have.
pub(crate) fn refused(sim: &Sim) {
    certs(sim, &["request", "--dir", "guest", "--name", "nobody"])
        .code(2)
        .says(&["neither a node nor a worker", "--role"]);
    let sign = |extra: &[&str], asked: &Ran| {
        certs_with(sim, &[&["sign", "-", "--dir", "signer"], extra].concat(), &asked.out)
    };
    let asked = |args: &[&str]| certs(sim, &[&["request", "--dir", "guest"], args].concat()).code(0);

    let more = asked(&["--name", "worker-aws-1", "--role", "admin"]);
    sign(&[], &more)
        .code(4)
        .says(&["asks for the role admin; the configuration has it as worker", "--role admin grants it"]);
    let stranger = asked(&["--name", "cp-aws-1"]);
    sign(&[], &stranger).code(4).says(&["cp-aws-1.crt is the certificate of another key", "--force"]);
    sign(&["--fingerprint", "00"], &stranger).code(4).says(&["has the fingerprint", "not 00"]);
    let named = asked(&["--name", "cp-gcp-1", "--san", "192.0.2.9"]);
    sign(&[], &named).code(4).says(&["asks for 192.0.2.9, but may have"]);
    sign(&["--san", "192.0.2.9"], &named).code(0);
    let other = asked(&["--name", "cp-azure-1", "--cluster", "other"]);
    sign(&[], &other).code(4).says(&["belongs to cluster \"other\", this is cluster \"farquorum\""]);
    certs_with(sim, &["sign", "-", "--dir", "signer"], b"no request")
        .code(4)
        .says(&["the signing request is not usable"]);
    certs_with(sim, &["install", "--dir", "host"], b"").code(4).says(&["certs sign prints it"]);
    certs(sim, &["sign", "missing.csr", "--dir", "signer"]).code(2).says(&["cannot read missing.csr"]);
}
