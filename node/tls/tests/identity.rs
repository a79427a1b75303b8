//! The identity parser: a new case is a new line.
#![allow(clippy::unwrap_used, reason = "tests may")]

use farquorum_tls::{Identity, IdentityError, Role};

#[test]
fn identities_that_are_taken() {
    let table = [
        ("spiffe://lab/node/cp-aws-1", "lab", Role::Node, "cp-aws-1"),
        ("spiffe://lab/worker/worker-gcp-1", "lab", Role::Worker, "worker-gcp-1"),
        ("spiffe://prod-1/client/ci.example.org", "prod-1", Role::Client, "ci.example.org"),
        ("spiffe://x/admin/0", "x", Role::Admin, "0"),
    ];
    for (uri, cluster, role, name) in table {
        let identity: Identity = uri.parse().unwrap();
        assert_eq!(identity, Identity::new(cluster, role, name).unwrap());
        assert_eq!(identity.to_string(), uri);
    }
}

#[test]
fn identities_that_are_refused() {
    let long = format!("spiffe://lab/node/{}", "a".repeat(64));
    let table = [
        ("", "form"),
        ("https://lab/node/a", "form"),
        ("SPIFFE://lab/node/a", "form"),
        ("spiffe://lab/node", "form"),
        ("spiffe://lab/node/a/", "form"),
        ("spiffe://lab/node/a/b", "form"),
        ("spiffe://lab//a", "role"),
        ("spiffe://lab/Node/a", "role"),
        ("spiffe://lab/root/a", "role"),
        ("spiffe:///node/a", "cluster"),
        ("spiffe://lab:1/node/a", "cluster"),
        ("spiffe://u@lab/node/a", "cluster"),
        ("spiffe://lab/node/", "name"),
        ("spiffe://lab/node/A", "name"),
        ("spiffe://lab/node/-a", "name"),
        ("spiffe://lab/node/a-", "name"),
        ("spiffe://lab/node/a..b", "name"),
        ("spiffe://lab/node/..", "name"),
        ("spiffe://lab/node/a%2fb", "name"),
        ("spiffe://lab/node/a?x", "name"),
        ("spiffe://lab/node/a#x", "name"),
        ("spiffe://lab/node/a\0", "name"),
        ("spiffe://lab/node/\u{e9}", "name"),
        (long.as_str(), "name"),
    ];
    for (uri, expected) in table {
        let found = match uri.parse::<Identity>().unwrap_err() {
            IdentityError::Form { .. } => "form",
            IdentityError::UnknownRole { .. } => "role",
            IdentityError::Name { part, .. } => part,
            other => panic!("{uri:?}: {other}"),
        };
        assert_eq!(found, expected, "{uri:?}");
    }
}

#[test]
fn bytes_that_are_no_certificate() {
    for bytes in [&b""[..], b"\x30", b"\x30\x80", &[0xff; 300], b"-----BEGIN CERTIFICATE-----"] {
        let error = Identity::from_certificate(bytes).unwrap_err();
        assert!(matches!(error, IdentityError::Certificate { .. }), "{error}");
    }
}
