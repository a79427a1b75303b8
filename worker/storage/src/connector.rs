//! The HTTP clients under the stores' clients.
//!
//! Why our own: the library's would read proxy variables from the environment (only the configuration may say where
//! bytes go), and would load the system's certificates even for plain HTTP, which fails in an image without any.

use std::net::SocketAddr;
use std::sync::{Arc, Once, OnceLock};
use std::time::Duration;

use farquorum_config::Detours;
use object_store::client::{HttpClient, HttpConnector};
use object_store::{ClientConfigKey, ClientOptions};

use crate::authority::Authorities;
use crate::error::StoreError;
use crate::trust::Client;

/// Longest wait for a TCP connection: several round trips of the slowest link.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest silence while an answer is read; a slow transfer that goes on is never cut.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Shorter than common servers' own, so that a connection is not used while the server closes it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Hands out two shared clients: one for plain HTTP (servers at an address, and the metadata of a cloud's machine), one
/// for HTTPS, which needs the system's certificates unless it has others, and is made when it is first asked for.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    plain: Client,
    secure: Arc<OnceLock<Result<Client, String>>>,
    /// Names that are reached elsewhere.
    elsewhere: Vec<(String, SocketAddr)>,
}

impl Connector {
    /// Clients that reach the hosts of `detours` at their ends.
    pub(crate) fn new(detours: &Detours) -> Result<Self, StoreError> {
        install_crypto();
        let elsewhere = names(detours);
        let plain = builder(&elsewhere).tls_certs_only([]).build();
        let http = plain.map_err(|error| StoreError::Settings(format!("no HTTP client: {error}")))?;
        Ok(Self { plain: Client { http, authorities: None }, secure: Arc::default(), elsewhere })
    }

    /// The same, but for HTTPS these authorities alone are trusted.
    pub(crate) fn trusting(&self, authorities: Authorities) -> Result<Self, StoreError> {
        let Authorities { path, certificates } = authorities;
        let error = |source: reqwest::Error| StoreError::Authorities {
            path: path.clone(),
            detail: format!("no HTTPS client: {}", crate::error::chain(&source)),
        };
        let certificates: Result<Vec<_>, _> =
            certificates.iter().map(|certificate| reqwest::Certificate::from_der(certificate)).collect();
        let builder = builder(&self.elsewhere).https_only(true);
        let http = builder.tls_certs_only(certificates.map_err(error)?).build().map_err(error)?;
        let secure = OnceLock::from(Ok(Client { http, authorities: Some(path) }));
        Ok(Self { secure: Arc::new(secure), ..self.clone() })
    }

    /// The client for `http://` or `https://`.
    pub(crate) fn client(&self, plain: bool) -> Result<Client, StoreError> {
        if plain {
            return Ok(self.plain.clone());
        }
        let made = self.secure.get_or_init(|| {
            let made = builder(&self.elsewhere).https_only(true).build();
            made.map(|http| Client { http, authorities: None }).map_err(|error| {
                format!(
                    "no HTTPS client: {error}; it needs the certificates of public authorities (package \
                     ca-certificates, or SSL_CERT_FILE)"
                )
            })
        });
        made.clone().map_err(StoreError::Settings)
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let plain = options.get_config_value(&ClientConfigKey::AllowHttp).as_deref() == Some("true");
        let client = self.client(plain);
        client
            .map(HttpClient::new)
            .map_err(|error| object_store::Error::Generic { store: "HTTP", source: Box::new(error) })
    }
}

fn builder(elsewhere: &[(String, SocketAddr)]) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none());
    elsewhere.iter().fold(builder, |builder, (name, at)| builder.resolve(name, *at))
}

/// Detours of names; an address in a URL is replaced where the URL is made.
fn names(detours: &Detours) -> Vec<(String, SocketAddr)> {
    let name = |(from, to): (&str, &str)| {
        let (name, _) = from.rsplit_once(':')?;
        let is_name = name.parse::<std::net::IpAddr>().is_err();
        Some((name.to_owned(), to.parse().ok().filter(|_| is_name)?))
    };
    detours.iter().filter_map(name).collect()
}

/// Installs ring for the process; a provider that is already there is left alone.
fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Lost only against another thread that installed one in between, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
    });
}
