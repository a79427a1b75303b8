//! A cluster's certificates in a folder of the test's own, forged ones, and both ends of a connection.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "each test file uses a part; tests may"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use farquorum_tls::{
    AcceptLimits, Acceptor, AuthorityKind, ClientFiles, ClientStream, ClientTls, IssueRequest, Layout, Port,
    Role, ServerFiles, init, issue,
};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_stream::StreamExt;

pub const CLUSTER: &str = "lab";
pub const NODE: &str = "cp-aws-1";

/// A folder with both authorities and the node's pair.
pub fn pki() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path(), CLUSTER).unwrap();
    give(dir.path(), Role::Node, NODE);
    dir
}

/// Issues a pair, replacing one that is there.
pub fn give(dir: &Path, role: Role, name: &str) {
    issue(dir, &IssueRequest { role, name, sans: &[], days: 1, force: true }).unwrap();
}

/// What to forge: signed by a real authority, but not what `issue` would make.
pub struct Forgery<'a> {
    pub by: AuthorityKind,
    pub uris: &'a [&'a str],
    /// Start and end of validity, from now.
    pub valid: (Duration, Duration),
}

pub fn forge(dir: &Path, name: &str, forgery: &Forgery<'_>) {
    let layout = Layout::new(dir);
    let read = |path| std::fs::read_to_string(path).unwrap();
    let authority_key = KeyPair::from_pem(&read(layout.authority_key(forgery.by))).unwrap();
    let issuer =
        Issuer::from_ca_cert_pem(&read(layout.authority_certificate(forgery.by)), authority_key).unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.subject_alt_names.extend(forgery.uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())));
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.not_before = OffsetDateTime::now_utc() + forgery.valid.0;
    params.not_after = OffsetDateTime::now_utc() + forgery.valid.1;
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    std::fs::write(layout.certificate(name), certificate.pem()).unwrap();
    std::fs::write(layout.key(name), key.serialize_pem()).unwrap();
}

pub fn pair(dir: &Path, name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let layout = Layout::new(dir);
    let certificate = CertificateDer::from_pem_file(layout.certificate(name)).unwrap();
    (vec![certificate], PrivateKeyDer::from_pem_file(layout.key(name)).unwrap())
}

/// Serves a port: tells each caller in one line who it is, then echoes.
pub async fn serve(dir: &Path, port: Port, limits: AcceptLimits) -> (SocketAddr, Acceptor) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = Acceptor::new(CLUSTER, ServerFiles::in_dir(dir, NODE), port, limits).unwrap();
    let mut incoming = acceptor.incoming(listener);
    tokio::spawn(async move {
        while let Some(stream) = incoming.next().await {
            let mut stream = stream.unwrap();
            tokio::spawn(async move {
                stream.write_all(format!("{}\n", stream.peer().identity).as_bytes()).await.unwrap();
                let (mut read, mut write) = tokio::io::split(stream);
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    (address, acceptor)
}

/// The certificates of a holder.
pub fn tls(dir: &Path, name: &str) -> ClientTls {
    ClientTls::new(CLUSTER, ClientFiles::in_dir(dir, name)).unwrap()
}

pub fn uri(address: SocketAddr) -> http::Uri {
    format!("http://{address}").parse().unwrap()
}

/// Connects as a holder to the node.
pub async fn connect(dir: &Path, name: &str, address: SocketAddr) -> Result<ClientStream, String> {
    let connector = tls(dir, name).to_node(NODE).confirmed();
    connector.connect(uri(address)).await.map_err(|error| format!("{error:?}"))
}

/// The line that the server sends first.
pub async fn greeting(stream: &mut ClientStream) -> String {
    let mut line = String::new();
    let mut reader = tokio::io::BufReader::new(stream);
    reader.read_line(&mut line).await.unwrap();
    line.trim().to_owned()
}

/// Connects with any certificate, or none, checking nothing but the server's authority; gives the error.
pub async fn refusal(
    dir: &Path,
    pair: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    address: SocketAddr,
) -> String {
    let mut roots = rustls::RootCertStore::empty();
    let ca = Layout::new(dir).authority_certificate(AuthorityKind::Peer);
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match pair {
        Some((chain, key)) => config.with_client_auth_cert(chain, key).unwrap(),
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let socket = TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let connected = connector.connect(NODE.try_into().unwrap(), socket).await;
    let mut byte = [0];
    match connected {
        Ok(mut stream) => match stream.read_exact(&mut byte).await {
            Ok(_) => "accepted".to_owned(),
            Err(error) => format!("{error:?}"),
        },
        Err(error) => format!("{error:?}"),
    }
}
