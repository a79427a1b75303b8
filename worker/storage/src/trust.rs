//! What an HTTP client trusts, and the words for a server that it does not: which file was used, and what to try. The
//! library would try such a server again for seconds and then say no more than that a connection failed.

use std::error::Error;
use std::path::PathBuf;

use async_trait::async_trait;
use object_store::client::{HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService};
use rustls::{CertificateError, InvalidMessage};

/// An HTTP client, and the file with the authorities that it trusts; none: the system's.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) authorities: Option<PathBuf>,
}

/// The server was reached and is not trusted. Stands among the causes of the library's error.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Untrusted(pub(crate) String);

#[async_trait]
impl HttpService for Client {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = HttpService::call(&self.http, request).await;
        answer.map_err(|error| match self.refusal(&error) {
            Some(reason) => HttpError::new(HttpErrorKind::Unknown, Untrusted(reason)),
            None => error,
        })
    }
}

impl Client {
    /// Why the server is not trusted, when the error says that.
    pub(crate) fn refusal(&self, error: &(dyn Error + 'static)) -> Option<String> {
        match cause(error)? {
            rustls::Error::InvalidCertificate(reason) => Some(self.of_certificate(reason)),
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => Some(
                "it does not speak HTTPS; for plain HTTP set storage.tls = false (in a context: endpoint = \
                      \"http://...\")"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    fn of_certificate(&self, reason: &CertificateError) -> String {
        let said = rustls::Error::InvalidCertificate(reason.clone()).to_string();
        match (reason, &self.authorities) {
            (CertificateError::UnknownIssuer, Some(file)) => format!(
                "none of the authorities in {} signed its certificate; that file (storage.ca; in a context: ca below \
                 [storage]) must hold the one that did: `openssl s_client -connect HOST:PORT` shows the issuer",
                file.display()
            ),
            (CertificateError::UnknownIssuer, None) => {
                "no authority that this system trusts signed its certificate; \
                 storage.ca (in a context: ca below [storage]) names the file with an authority of your own"
                    .to_owned()
            }
            (CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }, _) => {
                format!(
                    "{said}; storage.address (in a context: endpoint) must be one of the certificate's names"
                )
            }
            _ if said.contains("CaUsedAsEndEntity") => format!(
                "{said}: its certificate is marked as an authority's; make the server one of its own (with openssl: \
                 basicConstraints=CA:FALSE)"
            ),
            _ => said,
        }
    }
}

/// The error of TLS among the causes. An `io::Error` passes over the error that it holds when it is asked for its cause.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next: Option<&'a (dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(held) => Some(held),
            None => error.source(),
        };
    }
    None
}
