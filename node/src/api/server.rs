//! The two gRPC servers of a node: the public port and the peers' port. Both stand behind the acceptor (mutual TLS,
//! bounded connections and handshakes) and the guard (the table of roles).

use std::sync::Arc;
use std::time::Duration;

use farquorum_config::Config;
use farquorum_proto::v1::cluster_service_server::ClusterServiceServer;
use farquorum_proto::v1::job_service_server::JobServiceServer;
use farquorum_proto::v1::kv_service_server::KvServiceServer;
use farquorum_proto::v1::raft_service_server::RaftServiceServer;
use farquorum_proto::v1::task_service_server::TaskServiceServer;
use farquorum_proto::v1::worker_service_server::WorkerServiceServer;
use farquorum_tls::Acceptor;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::Router;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::layer::util::{Identity, Stack};

use super::guard::GuardLayer;
use super::{Api, Context};
use crate::metrics::Metrics;
use crate::raft::RaftHandle;
use crate::transport::{PeerServer, WINDOW_BYTES, message_bytes_max};

/// Requests of one connection at once: as many as a load generator keeps outstanding over one connection.
const STREAMS_MAX: u32 = 4096;

/// Streams of one peer connection at once: one for its lane, or one snapshot, and one to replace it.
const PEER_STREAMS_MAX: u32 = 4;

/// A connection that is silent for this long is asked whether it lives, and closed when it does not answer.
const KEEPALIVE: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Resets that a client may leave unread before it is cut off (rapid reset, CVE-2023-44487).
const RESETS_MAX: usize = 64;

type Guarded = Stack<GuardLayer, Identity>;

/// What bounds the public port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Longest gRPC message, in bytes.
    pub(crate) message_bytes_max: usize,
}

impl Bounds {
    pub(crate) fn of(config: &Config) -> Self {
        Self { message_bytes_max: usize::try_from(config.limits.message_bytes_max).unwrap_or(usize::MAX) }
    }
}

fn server(metrics: Metrics, streams: u32) -> Server<Guarded> {
    Server::builder()
        .max_concurrent_streams(streams)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .http2_max_pending_accept_reset_streams(Some(RESETS_MAX))
        .layer(GuardLayer::new(metrics))
}

/// Serves the public services, health and reflection until `stop`, then lets open requests end.
pub(crate) async fn serve_public(
    context: Arc<Context>,
    metrics: Metrics,
    acceptor: Acceptor,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let bounds = Bounds::of(&context.config);
    let (reporter, health) = tonic_health::server::health_reporter();
    let watch = tokio::spawn(report_health(reporter, context.raft.clone()));
    let router = public_routes(Api(context), metrics, bounds).add_service(health);
    let served =
        router.serve_with_incoming_shutdown(acceptor.incoming(listener), stop.cancelled_owned()).await;
    watch.abort();
    served
}

fn public_routes(api: Api, metrics: Metrics, bounds: Bounds) -> Router<Guarded> {
    macro_rules! sized {
        ($server:ident) => {
            $server::new(api.clone())
                .max_decoding_message_size(bounds.message_bytes_max)
                .max_encoding_message_size(bounds.message_bytes_max)
        };
    }
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(farquorum_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1();
    let router = server(metrics, STREAMS_MAX)
        .add_service(sized!(KvServiceServer))
        .add_service(sized!(TaskServiceServer))
        .add_service(sized!(WorkerServiceServer))
        .add_service(sized!(JobServiceServer))
        .add_service(sized!(ClusterServiceServer));
    match reflection {
        Ok(reflection) => router.add_service(reflection),
        Err(error) => {
            tracing::error!(%error, "reflection is not served");
            router
        }
    }
}

/// Serves the peers until `stop`. Their streams never end by themselves, so nothing is waited for.
pub(crate) async fn serve_peers(
    peers: PeerServer,
    config: &Config,
    metrics: Metrics,
    acceptor: Acceptor,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let max = message_bytes_max(config);
    let service = RaftServiceServer::new(peers).max_decoding_message_size(max).max_encoding_message_size(max);
    let serving = server(metrics, PEER_STREAMS_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .add_service(service)
        .serve_with_incoming(acceptor.incoming(listener));
    tokio::select! {
        served = serving => served,
        () = stop.cancelled() => Ok(()),
    }
}

/// SERVING while a leader is known.
async fn report_health(reporter: HealthReporter, raft: RaftHandle) {
    let mut status = raft.watch_status();
    loop {
        let led = status.borrow_and_update().leader.id.is_some();
        let serving = if led { ServingStatus::Serving } else { ServingStatus::NotServing };
        reporter.set_service_status("", serving).await;
        if status.wait_for(|status| status.leader.id.is_some() != led).await.is_err() {
            reporter.set_service_status("", ServingStatus::NotServing).await;
            return;
        }
    }
}
