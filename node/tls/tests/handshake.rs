//! Who gets in, who does not, and that nobody holds up the others (SEC-1, SEC-4).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

mod support;

use std::time::Duration as StdDuration;

use farquorum_tls::{AcceptLimits, AuthorityKind, ConnectError, Layout, Port, Role};
use rcgen::{CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber};
use support::{CLUSTER, Forgery, NODE, connect, forge, give, greeting, pair, pki, refusal, serve, tls, uri};
use time::{Duration, OffsetDateTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const TODAY: (Duration, Duration) = (Duration::hours(-1), Duration::hours(1));

#[tokio::test]
async fn each_role_on_each_port() {
    let dir = pki();
    for port in [Port::Peer, Port::Public] {
        let (address, _acceptor) = serve(dir.path(), port, AcceptLimits::default()).await;
        for role in Role::ALL {
            let name = format!("{role}-1");
            give(dir.path(), role, &name);
            let connected = connect(dir.path(), &name, address).await;
            if port == Port::Public || role == Role::Node {
                let mut stream = connected.unwrap();
                assert_eq!(greeting(&mut stream).await, format!("spiffe://{CLUSTER}/{role}/{name}"));
            } else {
                let error = connected.unwrap_err();
                assert!(error.contains("AlertReceived(CertificateUnknown)"), "{port:?} {role}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn certificates_that_are_refused() {
    use AuthorityKind::{Client, Peer};
    let dir = pki();
    let (public, _acceptor) = serve(dir.path(), Port::Public, AcceptLimits::default()).await;
    let (peer, _acceptor) = serve(dir.path(), Port::Peer, AcceptLimits::default()).await;
    let past = (Duration::hours(-2), Duration::hours(-1));
    let future = (Duration::hours(1), Duration::hours(2));
    let (worker, node) = ("spiffe://lab/worker/w", "spiffe://lab/node/n");
    let table: [(&str, Forgery<'_>, _, &str); 10] = [
        ("good", Forgery { by: Client, uris: &[worker], valid: TODAY }, public, "accepted"),
        ("expired", Forgery { by: Client, uris: &[worker], valid: past }, public, "CertificateExpired"),
        ("not yet", Forgery { by: Client, uris: &[worker], valid: future }, public, "CertificateExpired"),
        (
            "cluster",
            Forgery { by: Peer, uris: &["spiffe://x/node/n"], valid: TODAY },
            peer,
            "CertificateUnknown",
        ),
        ("made node", Forgery { by: Client, uris: &[node], valid: TODAY }, public, "UnknownCA"),
        ("made peer", Forgery { by: Client, uris: &[node], valid: TODAY }, peer, "UnknownCA"),
        ("made worker", Forgery { by: Peer, uris: &[worker], valid: TODAY }, public, "UnknownCA"),
        ("no identity", Forgery { by: Peer, uris: &[], valid: TODAY }, peer, "CertificateUnknown"),
        ("two", Forgery { by: Peer, uris: &[node, worker], valid: TODAY }, peer, "CertificateUnknown"),
        ("strange", Forgery { by: Client, uris: &["urn:x"], valid: TODAY }, public, "CertificateUnknown"),
    ];
    for (name, forgery, address, expected) in table {
        forge(dir.path(), "forged", &forgery);
        let found = refusal(dir.path(), Some(pair(dir.path(), "forged")), address).await;
        assert!(found.contains(expected), "{name}: {found}");
    }
    let other = pki();
    let found = refusal(dir.path(), Some(pair(other.path(), NODE)), peer).await;
    assert!(found.contains("UnknownCA"), "of another authority: {found}");
    let found = refusal(dir.path(), None, public).await;
    assert!(found.contains("CertificateRequired"), "without: {found}");
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_after_reload() {
    let dir = pki();
    give(dir.path(), Role::Worker, "w");
    let (address, acceptor) = serve(dir.path(), Port::Public, AcceptLimits::default()).await;
    connect(dir.path(), "w", address).await.unwrap();
    revoke(dir.path(), "w");
    acceptor.reload().unwrap();
    let error = connect(dir.path(), "w", address).await.unwrap_err();
    assert!(error.contains("AlertReceived(CertificateRevoked)"), "{error}");
}

fn revoke(dir: &std::path::Path, name: &str) {
    let layout = Layout::new(dir);
    let read = |path| std::fs::read_to_string(path).unwrap();
    let key = KeyPair::from_pem(&read(layout.authority_key(AuthorityKind::Client))).unwrap();
    let ca = read(layout.authority_certificate(AuthorityKind::Client));
    let issuer = Issuer::from_ca_cert_pem(&ca, key).unwrap();
    let serial = farquorum_tls::show(&layout.certificate(name)).unwrap().serial;
    let now = OffsetDateTime::now_utc();
    let revoked = RevokedCertParams {
        serial_number: SerialNumber::from_slice(&hex::decode(serial).unwrap()),
        revocation_time: now,
        reason_code: None,
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: now,
        next_update: now + Duration::hours(1),
        crl_number: SerialNumber::from(2_u64),
        issuing_distribution_point: None,
        revoked_certs: vec![revoked],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let pem = list.signed_by(&issuer).unwrap().pem().unwrap();
    std::fs::write(layout.authority_crl(AuthorityKind::Client), pem).unwrap();
}

#[tokio::test]
async fn only_the_node_that_is_meant_is_trusted() {
    let dir = pki();
    give(dir.path(), Role::Admin, "me");
    give(dir.path(), Role::Node, "cp-gcp-1");
    let (address, _acceptor) = serve(dir.path(), Port::Public, AcceptLimits::default()).await;
    let me = tls(dir.path(), "me");
    let error = me.to_node("cp-gcp-1").connect(uri(address)).await.unwrap_err();
    assert!(
        matches!(error, ConnectError::Handshake { .. }) && error.to_string().contains("cp-gcp-1"),
        "{error}"
    );
    assert!(!error.is_refusal());
    let localhost = format!("http://localhost:{}", address.port()).parse().unwrap();
    me.to_host().connect(localhost).await.unwrap();
    let alias = me.to_node("localhost").connect(uri(address)).await.unwrap_err();
    assert!(
        matches!(alias, ConnectError::Identity { .. }),
        "a name beside the identity is not enough: {alias}"
    );
}

#[tokio::test]
async fn a_worker_cannot_pose_as_a_node() {
    let dir = pki();
    give(dir.path(), Role::Admin, "me");
    let uris = ["spiffe://lab/worker/w"];
    forge(dir.path(), "w", &Forgery { by: AuthorityKind::Peer, uris: &uris, valid: TODAY });
    let (chain, key) = pair(dir.path(), "w");
    let config = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let _ = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config)).accept(socket).await;
    });
    let error = tls(dir.path(), "me").to_node("localhost").connect(uri(address)).await.unwrap_err();
    assert!(error.to_string().contains("has role worker, here only node is allowed"), "{error}");
}

/// A ClientHello of TLS 1.2: no supported_versions extension.
fn hello_of_tls_1_2() -> Vec<u8> {
    let extensions: &[u8] = &[
        0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x17, // supported_groups: secp256r1
        0x00, 0x0d, 0x00, 0x04, 0x00, 0x02, 0x04, 0x03, // signature_algorithms: ecdsa_secp256r1_sha256
    ];
    let mut body = vec![0x03, 0x03];
    body.extend([7; 32]); // random
    body.extend([0x00]); // no session id
    body.extend([0x00, 0x02, 0xc0, 0x2b]); // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
    body.extend([0x01, 0x00]); // no compression
    body.extend([0x00, u8::try_from(extensions.len()).unwrap()]);
    body.extend(extensions);
    let length = u8::try_from(body.len()).unwrap();
    let mut record = vec![0x16, 0x03, 0x01, 0x00, length + 4, 0x01, 0x00, 0x00, length];
    record.extend(body);
    record
}

#[tokio::test]
async fn tls_1_2_is_refused() {
    let dir = pki();
    let (address, _acceptor) = serve(dir.path(), Port::Public, AcceptLimits::default()).await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(&hello_of_tls_1_2()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let (alert, fatal, protocol_version) = (0x15, 2, 70);
    assert_eq!((answer[0], &answer[5..7]), (alert, &[fatal, protocol_version][..]), "{answer:02x?}");
}

#[tokio::test]
async fn garbage_ends_its_own_connection_only() {
    let dir = pki();
    give(dir.path(), Role::Client, "c");
    let (address, _acceptor) = serve(dir.path(), Port::Public, AcceptLimits::default()).await;
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4096], &[0x16, 0x03, 0x01, 0xff, 0xff, 0, 0]] {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let _ = socket.write_all(garbage).await;
        let _ = socket.shutdown().await;
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest).await;
        connect(dir.path(), "c", address).await.unwrap();
    }
}

#[tokio::test]
async fn silent_callers_do_not_hold_up_others() {
    let dir = pki();
    give(dir.path(), Role::Client, "c");
    let limits =
        AcceptLimits { connections: 64, handshakes: 4, handshake_timeout: StdDuration::from_millis(100) };
    let (address, _acceptor) = serve(dir.path(), Port::Public, limits).await;
    let mut silent = Vec::new();
    for count in [3, 9] {
        // Fewer than the handshakes that are possible: no wait at all. More: until their time is over.
        for _ in 0..count {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        connect(dir.path(), "c", address).await.unwrap();
    }
}

#[tokio::test]
async fn a_full_port_refuses_and_recovers() {
    let dir = pki();
    give(dir.path(), Role::Client, "c");
    let limits = AcceptLimits { connections: 1, ..AcceptLimits::default() };
    let (address, _acceptor) = serve(dir.path(), Port::Public, limits).await;
    let first = connect(dir.path(), "c", address).await.unwrap();
    connect(dir.path(), "c", address).await.unwrap_err();
    drop(first);
    while connect(dir.path(), "c", address).await.is_err() {
        tokio::task::yield_now().await;
    }
}
