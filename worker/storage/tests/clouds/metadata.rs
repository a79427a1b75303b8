//! The metadata address of a cloud's machine, as far as it gives identities. What each cloud wants to be asked with is
//! asked for: a request that a real one would refuse is refused here.

use std::convert::Infallible;
use std::net::SocketAddr;

use http::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

/// What it tells of this machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    /// Access key and secret key of the role.
    pub(crate) amazon: (String, String),
    /// Bearer token for Google or Azure.
    pub(crate) token: String,
}

/// Serves it on a loopback port.
pub(crate) async fn start(identity: Identity) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let identity = identity.clone();
            let service = hyper::service::service_fn(move |request| {
                let answer = answer(&request, &identity);
                async { Ok::<_, Infallible>(answer) }
            });
            tokio::spawn(async move {
                let _gone = auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    at
}

fn answer<B>(request: &Request<B>, identity: &Identity) -> Response<String> {
    let has = |name: &str, value: &str| request.headers().get(name).is_some_and(|found| found == value);
    let uri = request.uri();
    let query = uri.query().unwrap_or_default();
    let (access, secret) = &identity.amazon;
    let session = has("x-aws-ec2-metadata-token", "session");
    let role = "/latest/meta-data/iam/security-credentials/";
    let text = match (request.method(), uri.path()) {
        (&Method::PUT, "/latest/api/token")
            if request.headers().contains_key("x-aws-ec2-metadata-token-ttl-seconds") =>
        {
            "session".to_owned()
        }
        (&Method::GET, path) if path == role && session => "farquorum-worker".to_owned(),
        (&Method::GET, path) if path.strip_prefix(role) == Some("farquorum-worker") && session => format!(
            "{{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\",\"LastUpdated\":\"2026-01-01T00:00:00Z\",\"AccessKeyId\":\"{access}\",\
             \"SecretAccessKey\":\"{secret}\",\"Token\":\"of the session\",\"Expiration\":\"2126-01-01T00:00:00Z\"}}"
        ),
        (&Method::GET, "/computeMetadata/v1/instance/service-accounts/default/token")
            if has("metadata-flavor", "Google") =>
        {
            format!(
                "{{\"access_token\":\"{}\",\"expires_in\":3599,\"token_type\":\"Bearer\"}}",
                identity.token
            )
        }
        (&Method::GET, "/metadata/identity/oauth2/token")
            if has("metadata", "true")
                && query.contains("api-version=")
                && query.contains("resource=https%3A%2F%2Fstorage.azure.com") =>
        {
            format!(
                "{{\"access_token\":\"{}\",\"expires_in\":\"86399\",\"expires_on\":\"4102444800\",\"not_before\":\"0\",\
                 \"resource\":\"https://storage.azure.com/\",\"token_type\":\"Bearer\"}}",
                identity.token
            )
        }
        _ => return with_status(StatusCode::UNAUTHORIZED, String::new()),
    };
    with_status(StatusCode::OK, text)
}

fn with_status(status: StatusCode, text: String) -> Response<String> {
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response
}
