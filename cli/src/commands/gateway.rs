//! `farquorum gateway`: shapes what passes between the clouds' networks of containers, and says over HTTP whether it
//! does. When the shaper ends, so does this process: what it changed in its network lets nothing pass then, and whoever
//! started it starts it again. Killed while the kernel's netem shapes, it leaves devices that go on passing shaped packets:
//! in a container they end with the container's network, elsewhere whoever started it deletes them.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use clap::Args;
use farquorum_http::Limits;
use farquorum_netem::gateway::{Gateway, LinkAddresses};
use farquorum_netem::wan::{WanControl, WanError};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::config::loaded;
use super::gateway_metrics;
use crate::args::Global;
use crate::failure::Failure;
use crate::notify::Supervisor;
use crate::{logging, runtime};

/// Connections at once: probes and scrapers.
const CONNECTIONS_MAX: usize = 64;
/// How often the shaper is asked whether it still runs.
const WATCH: Duration = Duration::from_millis(250);

/// `farquorum gateway`
#[derive(Debug, Args)]
pub(crate) struct GatewayArgs {
    /// Address of /livez, /readyz and /metrics
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Take link addresses of its own: where the network is made anew for each gateway (a container), hosts that remember an
    /// earlier one must not find this one before it shapes
    #[arg(long)]
    own_link_addresses: bool,
    /// How log lines look
    #[arg(long, value_enum, default_value_t)]
    log_format: logging::Format,
}

/// Runs the gateway until it is asked to stop.
pub(crate) fn run(global: &Global, args: &GatewayArgs) -> Result<ExitCode, Failure> {
    logging::start(args.log_format);
    let config = loaded(global)?.config;
    let links = if args.own_link_addresses { LinkAddresses::Own } else { LinkAddresses::Kept };
    let gateway = Gateway::start(&config, links).map_err(Failure::failed)?;
    tracing::info!(backend = gateway.backend(), "the gateway shapes");
    for link in &config.links {
        tracing::info!(from = link.from, to = link.to, delay_ms = link.shape.delay_ms, "link");
    }
    let supervisor = Supervisor::of_process();
    let ended = runtime::block_on_until(|stop| async {
        let serving = CancellationToken::new();
        supervisor.tell(serving.clone(), stop.clone());
        serve(args.listen, gateway.control(), &serving, stop).await
    });
    gateway.stop();
    ended.map(|()| ExitCode::SUCCESS)
}

async fn serve(
    address: SocketAddr,
    control: WanControl,
    serving: &CancellationToken,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let listener = TcpListener::bind(address).await.map_err(|error| {
        Failure::failed(format!("cannot listen on {address} (HTTP of the gateway): {error}"))
            .hint("--listen with another port")
    })?;
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(control.clone());
    serving.cancel();
    let http = farquorum_http::serve_router(listener, router, Limits::of(CONNECTIONS_MAX), stop);
    tokio::select! {
        () = http => Ok(()),
        failure = watch(control) => Err(failure),
    }
}

/// Ends when the shaper has ended.
async fn watch(control: WanControl) -> Failure {
    loop {
        tokio::time::sleep(WATCH).await;
        if let Err(error @ WanError::Stopped) = asked(control.clone(), |control| control.links()).await {
            return Failure::failed(error);
        }
    }
}

/// The shaper answers between two packets, on its own thread: the wait for it holds none of the runtime's.
async fn asked<T: Send + 'static>(
    control: WanControl,
    question: impl FnOnce(&WanControl) -> Result<T, WanError> + Send + 'static,
) -> Result<T, WanError> {
    tokio::task::spawn_blocking(move || question(&control)).await.unwrap_or(Err(WanError::Stopped))
}

type Answer = (StatusCode, String);

async fn ready(State(control): State<WanControl>) -> Answer {
    match asked(control, |control| control.links()).await {
        Ok(_) => (StatusCode::OK, "ok\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

async fn metrics(State(control): State<WanControl>) -> Answer {
    let question = |control: &WanControl| -> Result<String, WanError> {
        Ok(gateway_metrics::text(&control.links()?, &control.lateness()?, &control.strays()?))
    };
    match asked(control, question).await {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}
