//! Azure Blob Storage, played by Azurite, which checks signatures and the claims of tokens.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use farquorum_storage::check::check;
use farquorum_storage::{StorageSettings, Store, StoreError};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::certificates::Holder;
use crate::common::contract::{long_object, round_trip};
use crate::metadata::{Identity, start};

pub(crate) const HOST: &str = "farquorumaz.blob.core.windows.net";
/// Path of Azurite's blob service: the program `azurite-blob`.
pub(crate) const EMULATOR: &str = "FARQUORUM_AZURITE_BLOB";
const ACCOUNT: &str = "farquorumaz";
const KEY: [u8; 64] = [7; 64];
const VERSION: &str = "2021-08-06";
const LATER: &str = "2100-01-01T00:00:00Z";

struct Azurite {
    at: SocketAddr,
    process: Child,
    _folder: tempfile::TempDir,
}

impl Azurite {
    /// `oauth`: whether tokens are taken; then a wrong signature is answered with 400 in place of Azure's 403.
    async fn start(oauth: bool) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port().await);
        let process = Command::new(std::env::var_os(EMULATOR).unwrap())
            .args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string(), "--silent", "--location"])
            .arg(folder.path())
            .args(["--skipApiVersionCheck", "--disableTelemetry"])
            .args(if oauth { &["--oauth", "basic"][..] } else { &[] })
            .arg("--cert")
            .arg(Holder::Clouds.certificate())
            .arg("--key")
            .arg(Holder::Clouds.key())
            .env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{}", BASE64_STANDARD.encode(KEY)))
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let at = SocketAddr::from(([127, 0, 0, 1], port));
        wait_for(at).await;
        let this = Self { at, process, _folder: folder };
        this.make_container().await;
        this
    }

    async fn make_container(&self) {
        let client = reqwest::Client::builder().no_proxy().resolve(HOST, self.at).build().unwrap();
        let made = client
            .put(format!("https://{HOST}/pipeline-data?restype=container&{}", of_the_account(&KEY)))
            .header("x-ms-version", "2021-08-06")
            .header("content-length", "0")
            .send()
            .await
            .unwrap();
        assert!(made.status().is_success(), "{made:?}");
    }

    async fn store(&self, credentials: Option<&Path>, token: String) -> Store {
        let metadata = start(Identity { token, ..Identity::default() }).await;
        let detours = [(format!("{HOST}:443"), self.at), ("169.254.169.254:80".to_owned(), metadata)];
        Store::open(&StorageSettings {
            url: "az://pipeline-data".to_owned(),
            endpoint: None,
            ca: None,
            region: "us-east-1".to_owned(),
            account: Some(ACCOUNT.to_owned()),
            credentials: credentials.map(Path::to_owned),
            detours: detours.map(|(from, to)| (from, to.to_string())).into_iter().collect(),
        })
        .unwrap()
    }

    async fn stop(mut self) {
        self.process.kill().await.unwrap();
    }
}

/// A shared access signature for the whole account, which may make containers.
/// <https://learn.microsoft.com/rest/api/storageservices/create-account-sas>
fn of_the_account(key: &[u8]) -> String {
    let text = format!("{ACCOUNT}\nrwdlac\nb\nsco\n\n{LATER}\n\nhttps\n{VERSION}\n\n");
    format!("sv={VERSION}&ss=b&srt=sco&sp=rwdlac&se={LATER}&spr=https&sig={}", signature(key, &text))
}

/// One for the container, with these rights, until then.
/// <https://learn.microsoft.com/rest/api/storageservices/create-service-sas>
fn of_the_container(key: &[u8], rights: &str, until: &str) -> String {
    let place = format!("/blob/{ACCOUNT}/pipeline-data");
    let text = format!("{rights}\n\n{until}\n{place}\n\n\nhttps\n{VERSION}\nc\n\n\n\n\n\n\n");
    format!("sv={VERSION}&sr=c&sp={rights}&se={until}&spr=https&sig={}", signature(key, &text))
}

/// As it stands in a URL.
fn signature(key: &[u8], text: &str) -> String {
    let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key), text.as_bytes());
    url::form_urlencoded::byte_serialize(BASE64_STANDARD.encode(tag).as_bytes()).collect()
}

/// A token as Azure's metadata gives one; its signature is not looked at.
fn token(audience: &str) -> String {
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let claims = format!(
        "{{\"aud\":\"{audience}\",\"iss\":\"https://sts.windows.net/0/\",\"nbf\":1500000000,\"iat\":1500000000,\
         \"exp\":4102444800}}"
    );
    format!("{}.{}.{}", part("{\"alg\":\"RS256\",\"typ\":\"JWT\"}"), part(&claims), part("none"))
}

pub(crate) async fn identity() {
    let azurite = Azurite::start(true).await;
    let store = azurite.store(None, token("https://storage.azure.com/")).await;
    round_trip(&store, "az://pipeline-data/some/where").await;
    long_object(&store, store.bucket_url()).await;
    let report = check(&store, store.bucket_url(), "worker").await.unwrap();
    assert!(report.is_ok(), "{report}");

    let store = azurite.store(None, token("https://vault.azure.net/")).await;
    let error = store.put("az://pipeline-data/a", "text".into()).await.unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error}");
    azurite.stop().await;
}

pub(crate) async fn account_key() {
    let azurite = Azurite::start(false).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials.toml");
    let write = |key: [u8; 64]| {
        std::fs::write(&file, format!("azure_key = \"{}\"\n", BASE64_STANDARD.encode(key))).unwrap();
    };
    write(KEY);
    let store = azurite.store(Some(&file), String::new()).await;
    round_trip(&store, "az://pipeline-data/some/where").await;
    write([8; 64]);
    let store = azurite.store(Some(&file), String::new()).await;
    let said = denied(&store).await;
    assert!(said.contains("azure_key of ") && said.contains("credentials.toml"), "{said}");
    assert!(said.contains("the storage account farquorumaz"), "{said}");
    azurite.stop().await;
}

pub(crate) async fn shared_access() {
    let azurite = Azurite::start(false).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials.toml");
    let open = async |sas: &str| {
        std::fs::write(&file, format!("azure_sas = \"{sas}\"\n")).unwrap();
        azurite.store(Some(&file), String::new()).await
    };
    let store = open(&of_the_container(&KEY, "racwdl", LATER)).await;
    round_trip(&store, "az://pipeline-data/some/where").await;
    long_object(&store, store.bucket_url()).await;
    let report = check(&store, store.bucket_url(), "worker").await.unwrap();
    assert!(report.is_ok(), "{report}");
    // Of the account, and with the mark that starts a query. Nothing is deleted: Azurite 3.35 answers a batch with 500 then.
    let store = open(&format!("?{}", of_the_account(&KEY))).await;
    long_object(&store, "az://pipeline-data/account").await;
    assert!(!store.put_if_absent("az://pipeline-data/account/long", "text".into()).await.unwrap());
    for sas in [
        of_the_container(&[8; 64], "racwdl", LATER),
        of_the_container(&KEY, "racwdl", "2020-01-01T00:00:00Z"),
        of_the_container(&KEY, "rl", LATER),
    ] {
        let said = denied(&open(&sas).await).await;
        assert!(said.contains("azure_sas of ") && said.contains("credentials.toml"), "{said}");
        assert!(said.contains("the storage account farquorumaz") && !said.contains("sig="), "{said}");
    }
    azurite.stop().await;
}

/// What a client is told that may not write.
async fn denied(store: &Store) -> String {
    let error = store.put("az://pipeline-data/a", "text".into()).await.unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error}");
    error.to_string()
}

/// A port that nobody had a moment ago.
pub(crate) async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// Until somebody listens there.
pub(crate) async fn wait_for(at: SocketAddr) {
    for _ in 0..300 {
        if TcpStream::connect(at).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nobody listens on {at} after 30 s");
}
