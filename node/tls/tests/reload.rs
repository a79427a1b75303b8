//! Certificates change while connections are open (SEC-2).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

mod support;

use std::time::Duration;

use farquorum_tls::{AcceptLimits, ClientStream, Layout, Port, Role};
use support::{NODE, connect, give, greeting, pki, serve, tls, uri};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn certificate(stream: &ClientStream) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

async fn echoes(stream: &mut ClientStream) {
    stream.write_all(b"still here").await.unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"still here");
}

#[tokio::test]
async fn new_handshakes_use_the_new_certificate_and_open_connections_go_on() {
    let dir = pki();
    give(dir.path(), Role::Admin, "me");
    let (address, acceptor) = serve(dir.path(), Port::Public, AcceptLimits::default()).await;
    let mut old = connect(dir.path(), "me", address).await.unwrap();
    greeting(&mut old).await;
    give(dir.path(), Role::Node, NODE);
    acceptor.reload().unwrap();
    let new = connect(dir.path(), "me", address).await.unwrap();
    assert_ne!(certificate(&old), certificate(&new));
    echoes(&mut old).await;
}

#[tokio::test]
async fn a_bad_file_leaves_the_last_good_pair() {
    let dir = pki();
    give(dir.path(), Role::Admin, "me");
    give(dir.path(), Role::Node, "other");
    let (address, acceptor) = serve(dir.path(), Port::Public, AcceptLimits::default()).await;
    let before = certificate(&connect(dir.path(), "me", address).await.unwrap());
    let layout = Layout::new(dir.path());
    let other_key = std::fs::read(layout.key("other")).unwrap();
    let worker = {
        give(dir.path(), Role::Worker, "w");
        std::fs::read(layout.certificate("w")).unwrap()
    };
    let (good_certificate, good_key) =
        (std::fs::read(layout.certificate(NODE)).unwrap(), std::fs::read(layout.key(NODE)).unwrap());
    let bad = [
        ("garbage", &b"garbage"[..], &good_key[..]),
        ("half a pair", &good_certificate[..], &other_key[..]),
        ("not a node's", &worker[..], &good_key[..]),
    ];
    for (what, certificate_file, key_file) in bad {
        std::fs::write(layout.certificate(NODE), certificate_file).unwrap();
        std::fs::write(layout.key(NODE), key_file).unwrap();
        assert!(acceptor.reload().is_err(), "{what}");
        assert_eq!(before, certificate(&connect(dir.path(), "me", address).await.unwrap()), "{what}");
    }
}

#[tokio::test]
async fn changed_files_are_noticed_on_both_sides() {
    let dir = pki();
    give(dir.path(), Role::Client, "me");
    let (address, acceptor) = serve(dir.path(), Port::Public, AcceptLimits::default()).await;
    let me = tls(dir.path(), "me");
    acceptor.watch(Duration::from_millis(5));
    me.watch(Duration::from_millis(5));
    let connector = me.to_node(NODE).confirmed();
    let before = certificate(&connector.connect(uri(address)).await.unwrap());
    give(dir.path(), Role::Node, NODE);
    // The same file, another role: what the server sees tells which of the two was used.
    give(dir.path(), Role::Admin, "me");
    loop {
        let mut stream = connector.connect(uri(address)).await.unwrap();
        if certificate(&stream) != before && greeting(&mut stream).await == "spiffe://lab/admin/me" {
            return;
        }
    }
}
