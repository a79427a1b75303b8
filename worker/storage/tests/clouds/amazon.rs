//! Amazon S3, played by the lab's server, which checks signatures.

use std::net::SocketAddr;

use farquorum_storage::check::check;
use farquorum_storage::{Credentials, StorageSettings, Store, StoreError};

use crate::common::Lab;
use crate::common::contract::{long_object, round_trip};
use crate::front::https;
use crate::gate::gate;
use crate::metadata::{Identity, start};

pub(crate) const HOST: &str = "s3.eu-central-1.amazonaws.com";

/// The settings of a worker on a machine in that region, with the cloud at loopback ports.
fn settings(store: SocketAddr, metadata: SocketAddr) -> StorageSettings {
    let detours = [(format!("{HOST}:443"), store), ("169.254.169.254:80".to_owned(), metadata)];
    StorageSettings {
        url: "s3://pipeline-data".to_owned(),
        endpoint: None,
        ca: None,
        region: "eu-central-1".to_owned(),
        account: None,
        credentials: None,
        detours: detours.map(|(from, to)| (from, to.to_string())).into_iter().collect(),
    }
}

async fn behind_https(lab: &Lab) -> SocketAddr {
    let endpoint = lab.settings.endpoint.as_deref().unwrap();
    https(endpoint.strip_prefix("http://").unwrap().parse().unwrap()).await
}

pub(crate) async fn identity() {
    let lab = Lab::start().await;
    let keys = Credentials::load(&lab.folder.path().join("credentials.toml")).unwrap();
    let amazon = (keys.access_key.clone(), keys.secret_key.clone());
    let metadata = start(Identity { amazon, ..Identity::default() }).await;
    let store = Store::open(&settings(behind_https(&lab).await, metadata)).unwrap();
    round_trip(&store, "s3://pipeline-data/some/where").await;
    long_object(&store, store.bucket_url()).await;
    let report = check(&store, store.bucket_url(), "worker").await.unwrap();
    assert!(report.is_ok(), "{report}");
    assert!(!store.ensure_bucket().await.unwrap(), "a cloud's bucket is not made");
}

pub(crate) async fn refused() {
    let lab = Lab::start().await;
    let amazon = ("somebody".to_owned(), "else".to_owned());
    let metadata = start(Identity { amazon, ..Identity::default() }).await;
    let store = Store::open(&settings(behind_https(&lab).await, metadata)).unwrap();
    let error = store.put("s3://pipeline-data/a", "text".into()).await.unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error}");
    assert!(error.to_string().contains("the machine's identity"), "{error}");
}

/// Keys of a session, as `aws configure export-credentials` prints them.
pub(crate) async fn session() {
    let lab = Lab::start().await;
    let endpoint = lab.settings.endpoint.as_deref().unwrap();
    let behind = endpoint.strip_prefix("http://").unwrap().parse().unwrap();
    let front = https(gate(behind, "IQoJb3JpZ2luX2VjE/mine==").await).await;
    let keys = Credentials::load(&lab.folder.path().join("credentials.toml")).unwrap();
    let file = lab.folder.path().join("session.toml");
    let open = |token: &str| {
        let Credentials { access_key, secret_key } = &keys;
        let pair = format!("access_key = \"{access_key}\"\nsecret_key = \"{secret_key}\"\n");
        std::fs::write(&file, pair + token).unwrap();
        let nobody = "127.0.0.1:1".parse().unwrap();
        Store::open(&StorageSettings { credentials: Some(file.clone()), ..settings(front, nobody) }).unwrap()
    };
    let store = open("session_token = \"IQoJb3JpZ2luX2VjE/mine==\"");
    round_trip(&store, "s3://pipeline-data/some/where").await;
    long_object(&store, store.bucket_url()).await;
    for (token, code) in [
        ("", "InvalidAccessKeyId"),
        ("session_token = \"of another session\"", "InvalidToken"),
        ("session_token = \"of a session that ended\"", "ExpiredToken"),
    ] {
        let error = open(token).put("s3://pipeline-data/a", "text".into()).await.unwrap_err();
        assert!(matches!(error, StoreError::Denied { .. }), "{error}");
        let said = error.to_string();
        assert!(said.contains(code) && said.contains(&keys.access_key), "{said}");
        assert!(said.contains("session.toml") && !said.contains("of a"), "{said}");
    }
}

pub(crate) async fn no_identity() {
    let lab = Lab::start().await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let store = Store::open(&settings(behind_https(&lab).await, closed)).unwrap();
    let error = store.get("s3://pipeline-data/a", 10).await.unwrap_err();
    assert!(matches!(error, StoreError::NoIdentity { .. }), "{error}");
}
