//! A key that is made on the host, a request that is signed elsewhere, and what is refused on the way.
#![allow(clippy::unwrap_used, reason = "tests may")]

use std::fs;
use std::path::Path;

use farquorum_tls::{
    Holder, Layout, Role, SigningRequest, Terms, TlsError, bundle, init, install, request, show, sign,
};
use tempfile::TempDir;

const CLUSTER: &str = "test";
const NAME: &str = "cp-1";

/// The signer's folder and the host's.
fn two() -> (TempDir, TempDir) {
    let (signer, host) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    init(signer.path(), CLUSTER).unwrap();
    (signer, host)
}

fn holder<'a>(sans: &'a [String]) -> Holder<'a> {
    Holder { cluster: CLUSTER, role: Role::Node, name: NAME, sans }
}

fn terms(allowed: &[String]) -> Terms<'_> {
    Terms { days: 1, allowed, force: false }
}

/// From the request to the certificate on the host.
fn round(signer: &Path, host: &Path, sans: &[String]) {
    let asked = request(host, &holder(sans)).unwrap();
    sign(signer, &SigningRequest::parse(&asked.pem).unwrap(), &terms(sans)).unwrap();
    install(host, &bundle(signer, NAME).unwrap(), false).unwrap();
}

#[test]
fn the_key_stays_on_the_host() {
    let (signer, host) = two();
    let sans = ["192.0.2.7".to_owned(), "cp-1.example".to_owned()];
    let asked = request(host.path(), &holder(&sans)).unwrap();
    let read = SigningRequest::parse(&asked.pem).unwrap();
    assert_eq!((&read.identity, &read.fingerprint), (&asked.identity, &asked.fingerprint));
    assert_eq!(read.sans, sans.to_vec());

    let signed = sign(signer.path(), &read, &terms(&sans)).unwrap();
    assert!(!signed.renewed);
    let text = bundle(signer.path(), NAME).unwrap();
    let installed = install(host.path(), &text, false).unwrap();
    let info = show(&installed.certificate).unwrap();
    assert_eq!(info.identity.as_ref(), Some(&asked.identity));
    assert_eq!(info.not_after, installed.not_after);
    assert!(info.sans.contains(&"192.0.2.7".to_owned()) && info.sans.contains(&"localhost".to_owned()));

    let key = fs::read_to_string(Layout::new(host.path()).key(NAME)).unwrap();
    assert!(!Layout::new(signer.path()).key(NAME).exists());
    assert!(!text.contains("PRIVATE KEY") && !asked.pem.contains("PRIVATE KEY"));
    // Asked again: the same key, and what was signed before is renewed.
    let again = request(host.path(), &holder(&sans)).unwrap();
    assert_eq!(fs::read_to_string(&again.key).unwrap(), key);
    assert!(sign(signer.path(), &SigningRequest::parse(&again.pem).unwrap(), &terms(&sans)).unwrap().renewed);
}

#[test]
fn names_that_nobody_allowed_are_refused() {
    let (signer, host) = two();
    let asked = request(host.path(), &holder(&["192.0.2.8".to_owned()])).unwrap();
    let read = SigningRequest::parse(&asked.pem).unwrap();
    let refused = sign(signer.path(), &read, &terms(&["192.0.2.7".to_owned()])).unwrap_err().to_string();
    assert!(refused.contains("asks for 192.0.2.8, but may have 192.0.2.7"), "{refused}");
    assert!(!Layout::new(signer.path()).certificate(NAME).exists());
}

#[test]
fn a_second_key_and_another_cluster_are_refused() {
    let (signer, host) = two();
    round(signer.path(), host.path(), &[]);
    let stranger = tempfile::tempdir().unwrap();
    let asked = SigningRequest::parse(&request(stranger.path(), &holder(&[])).unwrap().pem).unwrap();
    assert!(matches!(sign(signer.path(), &asked, &terms(&[])), Err(TlsError::Exists { .. })));
    sign(signer.path(), &asked, &Terms { force: true, ..terms(&[]) }).unwrap();
    // What was signed for the stranger's key does not get onto the host.
    let refused = install(host.path(), &bundle(signer.path(), NAME).unwrap(), false).unwrap_err().to_string();
    assert!(refused.contains("not for the key in"), "{refused}");

    let other = Holder { cluster: "other", ..holder(&[]) };
    let asked = SigningRequest::parse(&request(stranger.path(), &other).unwrap().pem).unwrap();
    let refused = sign(signer.path(), &asked, &Terms { force: true, ..terms(&[]) }).unwrap_err().to_string();
    assert!(refused.contains("belongs to cluster \"other\", this is cluster \"test\""), "{refused}");
}

#[test]
fn a_request_that_was_changed_or_is_none() {
    let (_, host) = two();
    let asked = request(host.path(), &holder(&[])).unwrap();
    let body = asked.pem.lines().nth(2).unwrap();
    let other: String = body.chars().rev().collect();
    for pem in [asked.pem.replace(body, &other), "hello".to_owned(), String::new()] {
        let refused = SigningRequest::parse(&pem).unwrap_err().to_string();
        assert!(refused.contains("the signing request is not usable"), "{refused}");
    }
}

#[test]
fn what_comes_back_must_fit_together() {
    let (signer, host) = two();
    round(signer.path(), host.path(), &[]);
    let good = bundle(signer.path(), NAME).unwrap();
    let (foreign, elsewhere) = two();
    round(foreign.path(), elsewhere.path(), &[]);
    let foreign = bundle(foreign.path(), NAME).unwrap();
    let section = |text: &str, name: &str| {
        let start = text.find(&format!("# farquorum file: {name}\n")).unwrap();
        let rest = &text[start..];
        let end = rest[1..].find("# farquorum file: ").map_or(rest.len(), |end| end + 1);
        rest[..end].to_owned()
    };
    let swapped = |name: &str| good.replace(&section(&good, name), &section(&foreign, name));
    let before = fs::read(Layout::new(host.path()).certificate(NAME)).unwrap();
    let table = [
        (String::new(), "no line of it starts with"),
        (good.replace(&section(&good, "ca/client.crl"), ""), "it holds no ca/client.crl"),
        (good.replace(&section(&good, "cp-1.crt"), ""), "exactly one holder"),
        (
            good.replace("file: cp-1.crt", "file: cp-2.crt"),
            "cp-2.crt is the certificate of spiffe://test/node/cp-1",
        ),
        (format!("{good}{}", section(&good, "cp-1.crt")), "it holds cp-1.crt twice"),
        (swapped("ca/peer.crt"), "ca/peer.crl is not signed by"),
        (swapped("ca/peer.crl"), "ca/peer.crl is not signed by"),
        (swapped("cp-1.crt"), "not for the key in"),
        (foreign.clone(), "not for the key in"),
    ];
    for (text, says) in table {
        let refused = install(host.path(), &text, false).unwrap_err().to_string();
        assert!(refused.contains(says), "{refused}\nshould say {says}");
    }
    assert_eq!(fs::read(Layout::new(host.path()).certificate(NAME)).unwrap(), before);
}

#[test]
fn another_authority_is_trusted_only_when_forced() {
    let (signer, host) = two();
    round(signer.path(), host.path(), &[]);
    let anew = tempfile::tempdir().unwrap();
    init(anew.path(), CLUSTER).unwrap();
    let asked = SigningRequest::parse(&request(host.path(), &holder(&[])).unwrap().pem).unwrap();
    sign(anew.path(), &asked, &terms(&[])).unwrap();
    let text = bundle(anew.path(), NAME).unwrap();
    let refused = install(host.path(), &text, false).unwrap_err().to_string();
    assert!(refused.contains("peer.crt is another authority"), "{refused}");
    install(host.path(), &text, true).unwrap();
}

#[test]
fn a_certificate_of_another_authority_does_not_pass() {
    let (signer, host) = two();
    round(signer.path(), host.path(), &[]);
    let anew = tempfile::tempdir().unwrap();
    init(anew.path(), CLUSTER).unwrap();
    let asked = SigningRequest::parse(&request(host.path(), &holder(&[])).unwrap().pem).unwrap();
    sign(anew.path(), &asked, &terms(&[])).unwrap();
    let good = bundle(signer.path(), NAME).unwrap();
    let leaf = |text: &str| fs::read_to_string(text).unwrap();
    let own = leaf(Layout::new(signer.path()).certificate(NAME).to_str().unwrap());
    let other = leaf(Layout::new(anew.path()).certificate(NAME).to_str().unwrap());
    let mixed = good.replace(own.trim_end(), other.trim_end());
    assert_ne!(mixed, good);
    let refused = install(host.path(), &mixed, false).unwrap_err().to_string();
    assert!(refused.contains("cp-1.crt is not signed by the authority in ca/peer.crt"), "{refused}");
}
