//! Opening a connection to a peer: how long it may take, how long to wait after a failure.

use std::time::Duration;

use farquorum_proto::v1::raft_service_client::RaftServiceClient;
use farquorum_tls::ClientTls;
use thiserror::Error;
use tonic::transport::{Channel, Endpoint};

use super::peers::Peer;

/// HTTP/2 windows of a peer connection. 1 MiB caps a link of 250 ms at 4 MiB/s; this is eight times that.
pub(crate) const WINDOW_BYTES: u32 = 8 << 20;

/// Beyond three round trips (TCP, TLS, the stream's own) a dial gets this much; a lost SYN would cost a second.
const DIAL_SLACK: Duration = Duration::from_millis(100);

/// Opens connections to peers with this node's certificate.
#[derive(Clone)]
pub(crate) struct Dialer {
    tls: ClientTls,
    /// Longest message that a peer may answer with or be sent.
    message_bytes_max: usize,
}

/// Why a peer was not reached.
#[derive(Debug, Error)]
pub(crate) enum DialError {
    #[error("{address:?} is not a host:port: {source}")]
    Address { address: String, source: tonic::transport::Error },
    #[error("no connection to {address}: {source}")]
    Connect { address: String, source: tonic::transport::Error },
    #[error("no connection to {address} within {limit:?}")]
    Slow { address: String, limit: Duration },
}

impl Dialer {
    pub(crate) fn new(tls: ClientTls, message_bytes_max: usize) -> Self {
        Self { tls, message_bytes_max }
    }

    /// A new connection; its server has proved to be the node of this name.
    pub(crate) async fn dial(&self, peer: &Peer) -> Result<RaftServiceClient<Channel>, DialError> {
        let address = peer.node.raft_address();
        let limit = dial_limit(peer.configured_rtt);
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|source| DialError::Address { address: address.clone(), source })?
            .initial_connection_window_size(WINDOW_BYTES)
            .initial_stream_window_size(WINDOW_BYTES)
            .tcp_nodelay(true);
        let connector = self.tls.to_node(&peer.node.name).timeout(limit);
        let channel = tokio::time::timeout(limit, endpoint.connect_with_connector(connector))
            .await
            .map_err(|_| DialError::Slow { address: address.clone(), limit })?
            .map_err(|source| DialError::Connect { address, source })?;
        Ok(RaftServiceClient::new(channel)
            .max_decoding_message_size(self.message_bytes_max)
            .max_encoding_message_size(self.message_bytes_max))
    }
}

/// How long a dial may take on a link with this configured round-trip time.
pub(crate) fn dial_limit(rtt: Duration) -> Duration {
    rtt * 3 + DIAL_SLACK
}

/// How long to wait before the next dial: doubles from 1/32 of the cap up to it, of which a random half (`draw` in
/// 0..1) is taken off, so that nodes that lost each other at the same moment do not dial at the same moment.
pub(crate) fn backoff(failures: u32, cap: Duration, draw: f64) -> Duration {
    let full = (cap / 32).saturating_mul(2_u32.saturating_pow(failures.min(5)));
    full.min(cap).mul_f64(1.0 - draw.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dial_limit_covers_three_round_trips() {
        assert_eq!(dial_limit(Duration::from_millis(75)), Duration::from_millis(325));
        assert_eq!(dial_limit(Duration::ZERO), DIAL_SLACK);
    }

    #[test]
    fn the_backoff_doubles_to_its_cap() {
        let cap = Duration::from_millis(960);
        let full: Vec<u128> = (0..8).map(|failures| backoff(failures, cap, 0.0).as_millis()).collect();
        assert_eq!(full, [30, 60, 120, 240, 480, 960, 960, 960]);
        assert_eq!(backoff(5, cap, 1.0).as_millis(), 480);
        assert_eq!(backoff(u32::MAX, cap, 0.5).as_millis(), 720);
    }
}
