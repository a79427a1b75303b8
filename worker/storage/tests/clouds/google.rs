//! Google Cloud Storage, played by a server of its XML interface as Google documents it (no emulator has all of what the
//! client uses): a bearer token, `x-goog-if-generation-match: 0`, uploads in parts, lists.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use farquorum_storage::check::check;
use farquorum_storage::{StorageSettings, Store, StoreError};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

use crate::common::contract::{long_object, round_trip};
use crate::front::https;
use crate::metadata::{Identity, start};

pub(crate) const HOST: &str = "storage.googleapis.com";
/// Where a person's refresh token becomes a token for a while.
pub(crate) const TOKENS: &str = "accounts.google.com";
const BUCKET: &str = "pipeline-data";
pub(crate) const TOKEN: &str = "ya29.of-this-machine";

pub(crate) type Answer = (StatusCode, Vec<(&'static str, String)>, Bytes);

/// Who may ask, by the bearer token.
pub(crate) type Accepts = Arc<dyn Fn(&str) -> bool + Send + Sync>;
/// What a server answers.
type Answers = Arc<dyn Fn(&Request<()>, Bytes) -> Answer + Send + Sync>;

/// Objects by key, and the parts of uploads that have not ended, by upload and number.
#[derive(Default)]
struct Bucket {
    objects: BTreeMap<String, Bytes>,
    uploads: BTreeMap<(String, u32), Bytes>,
    uploads_begun: u32,
}

impl Bucket {
    fn answer(&mut self, request: &Request<()>, body: Bytes) -> Answer {
        let path = urlencoding(request.uri().path());
        let query: BTreeMap<String, String> =
            url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        let Some((BUCKET, key)) = path.trim_start_matches('/').split_once('/').or(Some((&path[1..], "")))
        else {
            return plain(StatusCode::NOT_FOUND);
        };
        let upload = query.get("uploadId").cloned();
        match (request.method().clone(), upload) {
            (Method::GET, _) if key.is_empty() => self.list(&query),
            (Method::POST, None) if query.contains_key("uploads") => {
                self.uploads_begun += 1;
                let id = self.uploads_begun;
                xml(format!(
                    "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
                ))
            }
            (Method::PUT, Some(id)) => {
                self.uploads.insert((id, query["partNumber"].parse().unwrap()), body);
                written()
            }
            (Method::POST, Some(id)) => {
                let parts = self.uploads.extract_if(.., |(upload, _), _| *upload == id);
                let whole: Vec<u8> = parts.flat_map(|(_, part)| part.to_vec()).collect();
                self.objects.insert(key.to_owned(), whole.into());
                xml("<CompleteMultipartUploadResult><ETag>\"1\"</ETag></CompleteMultipartUploadResult>"
                    .into())
            }
            (Method::PUT, None) => {
                let only_new =
                    request.headers().get("x-goog-if-generation-match").is_some_and(|it| it == "0");
                if only_new && self.objects.contains_key(key) {
                    return plain(StatusCode::PRECONDITION_FAILED);
                }
                self.objects.insert(key.to_owned(), body);
                written()
            }
            (Method::DELETE, None) => match self.objects.remove(key) {
                Some(_) => plain(StatusCode::NO_CONTENT),
                None => plain(StatusCode::NOT_FOUND),
            },
            (Method::GET | Method::HEAD, None) => {
                let Some(object) = self.objects.get(key) else { return plain(StatusCode::NOT_FOUND) };
                read(object, request)
            }
            _ => plain(StatusCode::METHOD_NOT_ALLOWED),
        }
    }

    fn list(&self, query: &BTreeMap<String, String>) -> Answer {
        let prefix = query.get("prefix").map_or("", String::as_str);
        let below = self.objects.iter().filter(|(key, _)| key.starts_with(prefix));
        let entry = |(key, object): (&String, &Bytes)| {
            format!(
                "<Contents><Key>{key}</Key><Size>{}</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified>\
                 <ETag>\"1\"</ETag></Contents>",
                object.len()
            )
        };
        xml(format!("<ListBucketResult>{}</ListBucketResult>", below.map(entry).collect::<String>()))
    }
}

fn read(object: &Bytes, request: &Request<()>) -> Answer {
    let range = request.headers().get("range").map(|range| {
        let (start, end) = range.to_str().unwrap().strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        let end: usize = end.parse().unwrap();
        (start.parse::<usize>().unwrap(), object.len().min(end + 1))
    });
    let mut headers = vec![
        ("etag", "\"1\"".to_owned()),
        ("x-goog-generation", "1".to_owned()),
        ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT".to_owned()),
    ];
    let (status, content) = match range {
        Some((start, end)) if start >= end => return plain(StatusCode::RANGE_NOT_SATISFIABLE),
        Some((start, end)) => {
            headers.push(("content-range", format!("bytes {start}-{}/{}", end - 1, object.len())));
            (StatusCode::PARTIAL_CONTENT, object.slice(start..end))
        }
        None => (StatusCode::OK, object.clone()),
    };
    headers.push(("content-length", content.len().to_string()));
    (status, headers, content)
}

pub(crate) fn plain(status: StatusCode) -> Answer {
    (status, Vec::new(), Bytes::new())
}

fn written() -> Answer {
    let headers = vec![("etag", "\"1\"".to_owned()), ("x-goog-generation", "1".to_owned())];
    (StatusCode::OK, headers, Bytes::new())
}

fn xml(text: String) -> Answer {
    (StatusCode::OK, vec![("content-type", "application/xml".to_owned())], text.into())
}

/// The path as it was meant.
fn urlencoding(path: &str) -> String {
    url::form_urlencoded::parse(format!("p={}", path.replace('+', "%2B")).as_bytes())
        .map(|(_, value)| value.into_owned())
        .collect()
}

/// An empty bucket for those who may ask.
pub(crate) async fn bucket(accepts: Accepts) -> SocketAddr {
    let bucket = Mutex::new(Bucket::default());
    serve(Arc::new(move |request, body| {
        let bearer = request.headers().get("authorization").and_then(|found| found.to_str().ok());
        let bearer = bearer.and_then(|found| found.strip_prefix("Bearer "));
        if !bearer.is_some_and(|bearer| accepts(bearer)) {
            return plain(StatusCode::UNAUTHORIZED);
        }
        bucket.lock().unwrap().answer(request, body)
    }))
    .await
}

/// Serves plain HTTP on a loopback port.
pub(crate) async fn serve(answers: Answers) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answers = answers.clone();
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let answers = answers.clone();
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    let request = Request::from_parts(head, ());
                    let (status, headers, content) = answers(&request, body);
                    let mut response = Response::builder().status(status);
                    for (name, value) in headers {
                        response = response.header(name, value);
                    }
                    Ok::<_, Infallible>(response.body(Full::new(content)).unwrap())
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

/// How a machine there opens it, whose metadata address gives this token.
pub(crate) async fn settings(token: &str) -> StorageSettings {
    let front = https(bucket(Arc::new(|bearer: &str| bearer == TOKEN)).await).await;
    let metadata = start(Identity { token: token.to_owned(), ..Identity::default() }).await;
    let detours = [(format!("{HOST}:443"), front), ("metadata.google.internal:80".to_owned(), metadata)];
    StorageSettings {
        url: format!("gs://{BUCKET}"),
        endpoint: None,
        ca: None,
        region: "us-east-1".to_owned(),
        account: None,
        credentials: None,
        detours: detours.map(|(from, to)| (from, to.to_string())).into_iter().collect(),
    }
}

async fn store(token: &str) -> Store {
    Store::open(&settings(token).await).unwrap()
}

pub(crate) async fn identity() {
    let store = store(TOKEN).await;
    round_trip(&store, "gs://pipeline-data/some/where").await;
    long_object(&store, store.bucket_url()).await;
    let report = check(&store, store.bucket_url(), "worker").await.unwrap();
    assert!(report.is_ok(), "{report}");
}

pub(crate) async fn refused() {
    let error = store("of somebody else").await.put("gs://pipeline-data/a", "text".into()).await.unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error}");
}
