//! The layer that every call passes on its way in: asks the table of roles, counts, and measures.

use std::task::{Context, Poll};
use std::time::Instant;

use farquorum_tls::PeerInfo;
use futures::future::BoxFuture;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::{authorize, errors};
use crate::metrics::Metrics;

/// Name of methods that are not in the table, in metrics: a caller does not get to make up labels.
const UNKNOWN: &str = "unknown";

/// Makes [`Guard`]s.
#[derive(Clone)]
pub(crate) struct GuardLayer {
    metrics: Metrics,
}

impl GuardLayer {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self { metrics }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { inner, metrics: self.metrics.clone() }
    }
}

/// Lets a call through to `inner` when its caller may make it.
#[derive(Clone)]
pub(crate) struct Guard<S> {
    inner: S,
    metrics: Metrics,
}

impl<S> Service<http::Request<Body>> for Guard<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let metrics = self.metrics.clone();
        let path = request.uri().path();
        let method = authorize::row(path).map_or(UNKNOWN, |(method, _)| method);
        if let Err(status) = check(request.extensions().get::<PeerInfo>(), path) {
            metrics.grpc_done(method, status.code(), None);
            return Box::pin(async move { Ok(status.into_http()) });
        }
        let called = self.inner.call(request);
        Box::pin(async move {
            let started = Instant::now();
            let response = called.await?;
            // An error comes as a header. A stream that fails later counts as begun well.
            let code = Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code());
            metrics.grpc_done(method, code, Some(started.elapsed()));
            Ok(response)
        })
    }
}

/// The decision, with a line in the audit log when it is no.
fn check(caller: Option<&PeerInfo>, path: &str) -> Result<(), Status> {
    let Some(PeerInfo { identity, remote }) = caller else {
        tracing::warn!(target: "audit", path, "call refused: no verified identity");
        return Err(Status::unauthenticated("no verified identity"));
    };
    if authorize::allowed(identity.role, path) {
        return Ok(());
    }
    tracing::warn!(target: "audit", %identity, %remote, path, "call refused: the role may not make it");
    Err(errors::role_not_allowed(identity, path))
}
