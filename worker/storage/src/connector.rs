//! The HTTP client under the S3 client.
//!
//! Why our own: the library's would read proxy variables from the environment (only the configuration may say where
//! bytes go), and would load the system's certificates even for plain HTTP, which fails in an image without any.

use std::sync::Once;
use std::time::Duration;

use object_store::ClientOptions;
use object_store::client::{HttpClient, HttpConnector};

use crate::error::StoreError;

/// Longest wait for a TCP connection: several round trips of the slowest link.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest silence while an answer is read; a slow transfer that goes on is never cut.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Shorter than common servers' own, so that a connection is not used while the server closes it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Hands out one shared client.
#[derive(Clone, Debug)]
pub(crate) struct Connector(reqwest::Client);

impl Connector {
    /// A client for an endpoint; `plain` means `http://`.
    pub(crate) fn new(plain: bool) -> Result<Self, StoreError> {
        install_crypto();
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .https_only(!plain);
        if plain {
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|e| StoreError::Settings(format!("no HTTP client: {e}")))?;
        Ok(Self(client))
    }

    /// The shared client.
    pub(crate) fn client(&self) -> reqwest::Client {
        self.0.clone()
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
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
