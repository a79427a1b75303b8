//! `/health` and `/metrics`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use farquorum_http::Limits;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::session::Registration;

#[derive(Clone)]
struct Shared {
    worker: String,
    metrics: Metrics,
    registration: watch::Receiver<Option<Registration>>,
}

/// What `/health` says. 200 means that the process serves; `registered` says whether the cluster knows it.
#[derive(Serialize)]
struct Health {
    worker: String,
    registered: bool,
    running: i64,
}

/// Connections at once: probes and scrapers.
const CONNECTIONS_MAX: usize = 64;

/// Serves until `shutdown`.
pub(crate) async fn serve(
    listener: TcpListener,
    worker: String,
    metrics: Metrics,
    registration: watch::Receiver<Option<Registration>>,
    shutdown: CancellationToken,
) {
    let shared = Shared { worker, metrics, registration };
    let router =
        Router::new().route("/health", get(health)).route("/metrics", get(metrics_text)).with_state(shared);
    farquorum_http::serve_router(listener, router, Limits::of(CONNECTIONS_MAX), shutdown).await;
}

async fn health(State(shared): State<Shared>) -> Json<Health> {
    let registered = shared.registration.borrow().is_some();
    Json(Health { worker: shared.worker, registered, running: shared.metrics.running.get() })
}

async fn metrics_text(State(shared): State<Shared>) -> Result<String, (StatusCode, String)> {
    shared.metrics.text().map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}
