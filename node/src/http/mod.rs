//! HTTP for people, probes and scrapers (NODE-9): plain, read-only, nothing secret in it.

mod cluster_state;
mod raft_state;
mod ready;

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use farquorum_http::Limits;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::api::Context;
use crate::metrics::Metrics;

pub(crate) use ready::Readiness;

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Http {
    pub(crate) context: Arc<Context>,
    pub(crate) metrics: Metrics,
    pub(crate) readiness: Arc<Readiness>,
}

/// Serves until `stop`, at most `connections` at once.
pub(crate) async fn serve(http: Http, listener: TcpListener, connections: usize, stop: CancellationToken) {
    farquorum_http::serve_router(listener, routes(http), Limits::of(connections), stop).await;
}

pub(crate) fn routes(http: Http) -> Router {
    Router::new()
        .route("/raft-state", get(raft_state))
        .route("/cluster-state", get(cluster_state))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(http)
}

async fn raft_state(State(http): State<Http>) -> Json<raft_state::RaftState> {
    Json(raft_state::RaftState::of(&http.context.node_status()))
}

async fn cluster_state(State(http): State<Http>) -> Json<cluster_state::ClusterState> {
    Json(cluster_state::ClusterState::of(&http.context))
}

/// The process runs and its executor answers: no more. What to do about a node that is not ready is not decided by
/// restarting it.
async fn livez() -> &'static str {
    "ok\n"
}

async fn readyz(State(http): State<Http>, RawQuery(query): RawQuery) -> Response {
    let checks = http.readiness.checks(&http.context.raft.status());
    let ready = checks.iter().all(|check| check.problem.is_none());
    let verbose =
        query.is_some_and(|query| query.split('&').any(|part| part == "verbose" || part == "verbose=true"));
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, ready::text(&checks, verbose)).into_response()
}

async fn metrics(State(http): State<Http>) -> Response {
    let context = &http.context;
    http.metrics.show_links(&(context.links)(), &context.config);
    let (tasks, workers) = cluster_state::counts(&context.raft.view().state);
    http.metrics.show_manifest(&tasks, &workers);
    match http.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
