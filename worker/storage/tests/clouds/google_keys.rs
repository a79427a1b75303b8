//! `google_credentials`: the two kinds of file, and Google's part as it documents it. A service account signs its own
//! token (RS256, with a scope and no audience: <https://google.aip.dev/auth/4111>), and no token server is asked; a
//! person's file has a refresh token, which `accounts.google.com` takes for one that holds an hour.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use farquorum_storage::{StorageSettings, Store, StoreError};
use http::{Request, StatusCode};
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::contract::{long_object, round_trip};
use crate::front::https;
use crate::google::{Answer, HOST, TOKEN, TOKENS, bucket, plain, serve};

const ACCOUNT: &str = "worker@acme.iam.gserviceaccount.com";
const KEY_ID: &str = "key-1";
const SCOPES: [&str; 2] = [
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/devstorage.read_write",
];

/// Makes an RSA key: PEM (PKCS #8), and the public key as Google knows it.
fn rsa_key() -> (String, Vec<u8>) {
    let args = ["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
    let made = Command::new("openssl").args(args).output().unwrap();
    let pem = String::from_utf8(made.stdout).unwrap();
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let key = RsaKeyPair::from_pkcs8(&BASE64_STANDARD.decode(body).unwrap()).unwrap();
    (pem, key.public_key().as_ref().to_vec())
}

/// Whether a bearer token is one that this account signed just now, for the store.
fn signed_by(public: &[u8], bearer: &str) -> Result<(), String> {
    let (message, signature) = bearer.rsplit_once('.').ok_or("no JWT")?;
    let (head, claims) = message.split_once('.').ok_or("no JWT")?;
    let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|error| error.to_string());
    let parse = |part: &str| -> Result<Value, String> {
        serde_json::from_slice(&decode(part)?).map_err(|error| error.to_string())
    };
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
        .verify(message.as_bytes(), &decode(signature)?)
        .map_err(|_| "the signature is another key's")?;
    let (head, claims) = (parse(head)?, parse(claims)?);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let time = |name: &str| claims[name].as_u64().unwrap_or_default();
    let scope = claims["scope"].as_str().unwrap_or_default();
    for (good, what) in [
        (head["alg"] == "RS256" && head["kid"] == KEY_ID, "head"),
        (claims["iss"] == ACCOUNT && claims["sub"] == ACCOUNT, "iss or sub"),
        (claims.get("aud").is_none(), "aud beside a scope"),
        (scope.split(' ').any(|scope| SCOPES.contains(&scope)), "scope"),
        (time("iat") <= now + 5 && now < time("exp") && time("exp") - time("iat") <= 3600, "iat or exp"),
    ] {
        if !good {
            return Err(format!("{what}: {head} {claims}"));
        }
    }
    Ok(())
}

/// A folder with credentials.toml, which names google.json with this content.
fn keys(content: &Value) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (google, file) = (folder.path().join("google.json"), folder.path().join("credentials.toml"));
    std::fs::write(&google, content.to_string()).unwrap();
    std::fs::write(&file, format!("google_credentials = \"{}\"\n", google.display())).unwrap();
    (folder, file)
}

fn store(file: &Path, detours: &[(&str, SocketAddr)]) -> Store {
    let detours = detours.iter().map(|(name, at)| (format!("{name}:443"), at.to_string()));
    Store::open(&StorageSettings {
        url: "gs://pipeline-data".to_owned(),
        endpoint: None,
        ca: None,
        region: "us-east-1".to_owned(),
        account: None,
        credentials: Some(file.to_owned()),
        detours: detours.collect(),
    })
    .unwrap()
}

pub(crate) async fn service_account() {
    let (pem, public) = rsa_key();
    let accepts = move |bearer: &str| match signed_by(&public, bearer) {
        Ok(()) => true,
        Err(why) => {
            println!("refused: {why}");
            false
        }
    };
    let front = https(bucket(Arc::new(accepts)).await).await;
    let file = |pem: &str| {
        keys(&json!({
            "type": "service_account", "project_id": "acme", "private_key_id": KEY_ID, "private_key": pem,
            "client_email": ACCOUNT, "client_id": "1", "token_uri": "https://oauth2.googleapis.com/token",
        }))
    };
    let (_folder, right) = file(&pem);
    let opened = store(&right, &[(HOST, front)]);
    round_trip(&opened, "gs://pipeline-data/some/where").await;
    long_object(&opened, opened.bucket_url()).await;

    let (_folder, other) = file(&rsa_key().0);
    let error = store(&other, &[(HOST, front)]).put("gs://pipeline-data/a", "text".into()).await.unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains("google.json") && said.contains(&other.display().to_string()), "{said}");

    let (_folder, broken) = file("no key");
    let error =
        store(&broken, &[(HOST, front)]).put("gs://pipeline-data/a", "text".into()).await.unwrap_err();
    assert!(error.to_string().contains("google.json") && !error.to_string().contains("no key"), "{error}");
}

/// The token server for a refresh token.
fn exchange(_: &Request<()>, body: &Bytes) -> Answer {
    let form: Vec<(String, String)> = url::form_urlencoded::parse(body).into_owned().collect();
    let has =
        |name: &str, value: &str| form.iter().any(|pair| (pair.0.as_str(), pair.1.as_str()) == (name, value));
    let known = has("client_id", "id") && has("client_secret", "hidden") && has("refresh_token", "1//mine");
    let json = |status, value: Value| {
        (status, vec![("content-type", "application/json".to_owned())], value.to_string().into())
    };
    if !has("grant_type", "refresh_token") {
        return plain(StatusCode::BAD_REQUEST);
    }
    if !known {
        return json(StatusCode::BAD_REQUEST, json!({ "error": "invalid_grant" }));
    }
    json(StatusCode::OK, json!({ "access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer" }))
}

pub(crate) async fn person() {
    let front = https(bucket(Arc::new(|bearer: &str| bearer == TOKEN)).await).await;
    let tokens = https(serve(Arc::new(|request, body| exchange(request, &body))).await).await;
    let file = |refresh: &str| {
        keys(&json!({
            "type": "authorized_user", "client_id": "id", "client_secret": "hidden", "refresh_token": refresh,
        }))
    };
    let detours = [(HOST, front), (TOKENS, tokens)];
    let (_folder, right) = file("1//mine");
    round_trip(&store(&right, &detours), "gs://pipeline-data/some/where").await;
    let (_folder, other) = file("1//of-somebody-else");
    let error = store(&other, &detours).put("gs://pipeline-data/a", "text".into()).await.unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains("google.json") && said.contains("invalid_grant"), "{said}");
    assert!(!said.contains("somebody-else"), "a secret is in the message: {said}");
}
