//! A server of one's own behind HTTPS: the lab's, with a certificate that an authority of its company signed. Whom a
//! client trusts, and what it says when it does not.

use std::path::PathBuf;

use farquorum_storage::check::check;
use farquorum_storage::{StorageSettings, Store, StoreError};

use crate::certificates::{self, Holder, of_the_company};
use crate::common::Lab;
use crate::common::contract::{long_object, round_trip};
use crate::front::Front;
use crate::google;

/// The lab's server, and HTTPS in front of it.
struct Own {
    lab: Lab,
    front: Front,
}

impl Own {
    async fn start(holder: Holder) -> Self {
        let lab = Lab::start().await;
        let endpoint = lab.settings.endpoint.as_deref().unwrap();
        let front = Front::start(endpoint.strip_prefix("http://").unwrap().parse().unwrap(), holder).await;
        Self { lab, front }
    }

    /// How a client that has the keys opens it, by this name.
    fn settings(&self, host: &str, ca: Option<PathBuf>) -> StorageSettings {
        let endpoint = Some(format!("https://{host}:{}", self.front.at.port()));
        StorageSettings { endpoint, ca, ..self.lab.settings.clone() }
    }

    /// What a client is told that does not trust it.
    async fn refusal(&self, host: &str, ca: Option<PathBuf>) -> String {
        let store = Store::open(&self.settings(host, ca)).unwrap();
        let before = self.front.connections();
        let error = store.put("s3://pipeline-data/a", "text".into()).await.unwrap_err();
        assert!(matches!(error, StoreError::Untrusted { .. }), "{error}");
        assert_eq!(self.front.connections(), before + 1, "what cannot become better was tried again");
        let asked = store.ensure_bucket().await.unwrap_err();
        assert!(matches!(asked, StoreError::Untrusted { .. }) && !asked.is_retryable(), "{asked}");
        error.to_string()
    }
}

pub(crate) async fn own_authority() {
    let own = Own::start(Holder::Company).await;
    let settings = own.settings("localhost", Some(of_the_company()));
    let store = Store::open(&settings).unwrap();
    assert!(!store.ensure_bucket().await.unwrap(), "it is there");
    round_trip(&store, "s3://pipeline-data/some/where").await;
    long_object(&store, store.bucket_url()).await;
    let report = check(&store, store.bucket_url(), "worker").await.unwrap();
    assert!(report.is_ok(), "{report}");
    let missing = StorageSettings { url: "s3://not-yet".to_owned(), ..settings };
    assert!(Store::open(&missing).unwrap().ensure_bucket().await.unwrap(), "it was made");
    assert!(own.front.connections() > 0, "the server was reached by another way");

    // A certificate that nobody else signed is its own authority.
    let own = Own::start(Holder::ItsOwn).await;
    let settings = own.settings("localhost", Some(Holder::ItsOwn.certificate()));
    round_trip(&Store::open(&settings).unwrap(), "s3://pipeline-data").await;
}

pub(crate) async fn authority_of_the_system() {
    let own = Own::start(Holder::Clouds).await;
    round_trip(&Store::open(&own.settings("localhost", None)).unwrap(), "s3://pipeline-data").await;
    let said = own.refusal("localhost", Some(of_the_company())).await;
    assert!(said.contains("company-ca.pem"), "a file stands in place of the system's authorities: {said}");
}

pub(crate) async fn untrusted() {
    let own = Own::start(Holder::Company).await;
    let said = own.refusal("localhost", None).await;
    assert!(said.contains("no authority that this system trusts") && said.contains("storage.ca"), "{said}");
    let other = Holder::ItsOwn.certificate();
    let said = own.refusal("localhost", Some(other.clone())).await;
    assert!(said.contains(&format!("none of the authorities in {}", other.display())), "{said}");
    assert!(said.contains("openssl s_client"), "{said}");
    let said = own.refusal("127.0.0.1", Some(of_the_company())).await;
    assert!(said.contains("127.0.0.1") && said.contains("localhost"), "{said}");
    assert!(said.contains("storage.address"), "{said}");

    let said = Own::start(Holder::Expired).await.refusal("localhost", Some(of_the_company())).await;
    assert!(said.contains("expired"), "{said}");
    let own = Own::start(Holder::Authority).await;
    let said = own.refusal("localhost", Some(Holder::Authority.certificate())).await;
    assert!(said.contains("marked as an authority's") && said.contains("CA:FALSE"), "{said}");
}

pub(crate) async fn settings_that_do_not_fit() {
    let lab = Lab::start().await;
    let endpoint = lab.settings.endpoint.clone().unwrap();
    let open = |endpoint: &str, ca: PathBuf| {
        Store::open(&StorageSettings {
            endpoint: Some(endpoint.to_owned()),
            ca: Some(ca),
            ..lab.settings.clone()
        })
    };
    let plain = open(&endpoint, of_the_company()).unwrap_err().to_string();
    assert!(plain.contains("company-ca.pem") && plain.contains("https://"), "{plain}");
    let missing = open("https://localhost:1", certificates::file("none.pem")).unwrap_err();
    assert!(matches!(missing, StoreError::Authorities { .. }), "{missing}");

    // HTTPS to a server that speaks plain HTTP.
    let store = open(&endpoint.replace("http://127.0.0.1", "https://localhost"), of_the_company()).unwrap();
    let said = store.put("s3://pipeline-data/a", "text".into()).await.unwrap_err();
    assert!(matches!(said, StoreError::Untrusted { .. }), "{said}");
    assert!(said.to_string().contains("does not speak HTTPS"), "{said}");
}

/// The file is for the server at the endpoint alone: a cloud's own store is trusted by the system's authorities beside it.
pub(crate) async fn clouds_beside() {
    let own = Own::start(Holder::Company).await;
    let google = google::settings(google::TOKEN).await;
    let (at, front) = ("localhost:443".to_owned(), own.front.at);
    let detours = google.detours.iter().map(|(from, to)| (from.to_owned(), to.to_owned()));
    let settings = StorageSettings {
        detours: detours.chain([(at, front.to_string())]).collect(),
        ..own.settings("localhost", Some(of_the_company()))
    };
    let store = Store::open(&settings).unwrap();
    store.put("gs://pipeline-data/a", "far".into()).await.unwrap();
    store.put("s3://pipeline-data/a", "near".into()).await.unwrap();
    assert_eq!(store.get("gs://pipeline-data/a", 10).await.unwrap(), "far");
    assert_eq!(store.get("s3://pipeline-data/a", 10).await.unwrap(), "near");
}
