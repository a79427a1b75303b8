//! A key made on a host, signed elsewhere, installed, and renewed: by commands and pipes alone.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use rcgen::{CertificateParams, Issuer, KeyPair, SanType};

use crate::lab::machine::signal;
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

/// `renew --watch`: one that is due is renewed at once, and it goes on until it is told to stop.
pub(crate) fn watched(sim: &Sim) {
    let folder = |name: &str| sim.lab.state.path().join(name);
    certs(sim, &["init", "--dir", "watcher"]).ok();
    certs(sim, &["issue", "--dir", "watcher", "--role", "node", "--name", "cp-gcp-1"]).ok();
    fs::create_dir(folder("due")).unwrap();
    fs::create_dir(folder("due/ca")).unwrap();
    for name in ["cp-gcp-1.key", "ca/peer.crt", "ca/peer.crl", "ca/client.crt", "ca/client.crl"] {
        fs::copy(folder("watcher").join(name), folder("due").join(name)).unwrap();
    }
    fs::write(folder("due/cp-gcp-1.crt"), two_thirds_used(&folder("watcher"), "cp-gcp-1")).unwrap();
    let key = fs::read(folder("due/cp-gcp-1.key")).unwrap();

    let mut command = sim.lab.command();
    command.args(["certs", "renew", "--watch", "--dir", "due", "--", BINARY, "certs", "sign", "-", "--dir"]);
    command.arg("watcher").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut watch = command.spawn().unwrap();
    let said = BufReader::new(watch.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    assert!(said.starts_with("cp-gcp-1: renewed; it holds for "), "{said}");
    certs(sim, &["renew", "--dir", "due"]).ok().prints(&["cp-gcp-1: not due for another "]);
    assert_eq!(fs::read(folder("due/cp-gcp-1.key")).unwrap(), key, "the key stays");
    std::thread::sleep(Duration::from_millis(500));
    assert!(watch.try_wait().unwrap().is_none(), "it goes on");
    signal(i32::try_from(watch.id()).unwrap(), Signal::SIGTERM);
    assert_eq!(watch.wait().unwrap().code(), Some(0));
}

/// A certificate of a node for its key in this folder, by the folder's authority, of which more than two thirds are used.
fn two_thirds_used(dir: &Path, name: &str) -> String {
    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
    let authority = KeyPair::from_pem(&read("ca/peer.key")).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&read("ca/peer.crt"), authority).unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let uri = format!("spiffe://farquorum/node/{name}");
    params.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
    params.not_before = (SystemTime::now() - Duration::from_hours(80)).into();
    params.not_after = (SystemTime::now() + Duration::from_hours(20)).into();
    let key = KeyPair::from_pem(&read(&format!("{name}.key"))).unwrap();
    params.signed_by(&key, &issuer).unwrap().pem()
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
