//! Amazon's check of keys that end, in front of the lab's server, which knows no sessions: a request must carry the
//! session's token, and have signed it. Refusals are those of Amazon's list of errors. What passes goes on as it is, so the
//! server behind checks the signature.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

/// Serves on a loopback port what the server behind answers to those who have this token.
pub(crate) async fn gate(behind: SocketAddr, token: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let client = client.clone();
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let client = client.clone();
                async move {
                    let refused = refusal(&request, token);
                    let answer = match refused {
                        Some((status, code)) => {
                            answer(status, format!("<Error><Code>{code}</Code></Error>").into())
                        }
                        None => pass(&client, behind, request).await,
                    };
                    Ok::<_, Infallible>(answer)
                }
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

fn refusal<B>(request: &Request<B>, token: &str) -> Option<(StatusCode, &'static str)> {
    let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap());
    match header("x-amz-security-token") {
        // Amazon does not know such a key without its token.
        None => Some((StatusCode::FORBIDDEN, "InvalidAccessKeyId")),
        Some("of a session that ended") => Some((StatusCode::BAD_REQUEST, "ExpiredToken")),
        Some(found) if found != token => Some((StatusCode::BAD_REQUEST, "InvalidToken")),
        Some(_) => {
            let signed = header("authorization").unwrap_or_default().split_once("SignedHeaders=");
            let signed = signed.and_then(|(_, rest)| rest.split(',').next()).unwrap_or_default();
            let listed = signed.split(';').any(|name| name == "x-amz-security-token");
            (!listed).then_some((StatusCode::FORBIDDEN, "AccessDenied"))
        }
    }
}

async fn pass(client: &reqwest::Client, to: SocketAddr, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let url = format!("http://{to}{}", head.uri.path_and_query().unwrap());
    let body = body.collect().await.unwrap().to_bytes();
    let sent = client.request(head.method, url).headers(head.headers).body(body).send().await.unwrap();
    let (status, headers) = (sent.status(), sent.headers().clone());
    let mut answer = answer(status, sent.bytes().await.unwrap());
    *answer.headers_mut() = headers;
    answer
}

fn answer(status: StatusCode, content: Bytes) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::new(content)).unwrap()
}
