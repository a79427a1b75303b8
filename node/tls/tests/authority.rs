//! Authorities and what they sign.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod support;

use std::os::unix::fs::PermissionsExt;

use farquorum_tls::{Authority, AuthorityKind, IssueRequest, Layout, Role, TlsError, init, issue, show};
use support::{CLUSTER, NODE, pki};

fn request(role: Role, name: &str) -> IssueRequest<'_> {
    IssueRequest { role, name, sans: &[], days: 30, force: false }
}

#[test]
fn keys_are_for_their_owner_only() {
    let dir = pki();
    let layout = Layout::new(dir.path());
    let keys = [
        layout.authority_key(AuthorityKind::Peer),
        layout.authority_key(AuthorityKind::Client),
        layout.key(NODE),
    ];
    for key in keys {
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600, "{}", key.display());
    }
    let left: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "only ca, crt and key: {left:?}");
}

#[test]
fn nothing_is_overwritten() {
    let dir = pki();
    let layout = Layout::new(dir.path());
    let (ca, own) = (layout.authority_certificate(AuthorityKind::Peer), layout.certificate(NODE));
    let before = (std::fs::read(&ca).unwrap(), std::fs::read(&own).unwrap());
    assert!(matches!(init(dir.path(), CLUSTER), Err(TlsError::Exists { .. })));
    assert!(matches!(issue(dir.path(), &request(Role::Node, NODE)), Err(TlsError::Exists { .. })));
    assert_eq!(before, (std::fs::read(&ca).unwrap(), std::fs::read(&own).unwrap()));
    issue(dir.path(), &IssueRequest { force: true, ..request(Role::Node, NODE) }).unwrap();
    assert_ne!(before.1, std::fs::read(&own).unwrap());
}

#[test]
fn an_authority_that_is_partly_there_is_not_completed() {
    let dir = pki();
    std::fs::remove_file(Layout::new(dir.path()).authority_key(AuthorityKind::Client)).unwrap();
    assert!(matches!(
        Authority::create(dir.path(), CLUSTER, AuthorityKind::Client),
        Err(TlsError::Exists { .. })
    ));
    assert!(matches!(issue(dir.path(), &request(Role::Worker, "w")), Err(TlsError::Read { .. })));
}

#[test]
fn requests_that_are_refused() {
    let dir = pki();
    let bad_san = ["n\u{e4}me".to_owned()];
    let table = [
        (request(Role::Worker, "../escape"), "name"),
        (IssueRequest { days: 0, ..request(Role::Worker, "w") }, "0 days"),
        (IssueRequest { days: 826, ..request(Role::Worker, "w") }, "826 days"),
        (IssueRequest { sans: &bad_san, ..request(Role::Node, "n") }, "subject alternative name"),
    ];
    for (request, expected) in table {
        let error = issue(dir.path(), &request).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let peer = Authority::load(dir.path(), AuthorityKind::Peer).unwrap();
    let error = peer.issue(dir.path(), &request(Role::Admin, "a")).unwrap_err().to_string();
    assert!(error.contains("peer authority does not sign role admin"), "{error}");
}

#[test]
fn a_certificate_can_be_shown() {
    let dir = pki();
    let sans = ["10.10.0.11".to_owned(), "node.example.org".to_owned(), "fd00::1".to_owned()];
    let issued = issue(dir.path(), &IssueRequest { sans: &sans, ..request(Role::Node, "cp-gcp-1") }).unwrap();
    let info = show(&issued.certificate).unwrap();
    assert_eq!(info.identity, Some(issued.identity));
    let expected =
        ["spiffe://lab/node/cp-gcp-1", "cp-gcp-1", "localhost", "10.10.0.11", "node.example.org", "fd00::1"];
    assert_eq!(info.sans, expected);
    assert!(info.issuer.contains("O=lab") && info.issuer.contains("peer"), "{}", info.issuer);
    assert_eq!((info.not_after - info.not_before) / 86_400, 30);
    assert_eq!(info.fingerprint.len(), 64);
    let authority = show(&Layout::new(dir.path()).authority_certificate(AuthorityKind::Peer)).unwrap();
    assert_eq!((authority.identity, &authority.subject), (None, &info.issuer));
}
