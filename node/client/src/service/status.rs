//! The nodes' state, and leadership.

use farquorum_proto::v1::cluster_service_client::ClusterServiceClient;
use farquorum_proto::v1::{
    GetStatusRequest, GetStatusResponse, ProbePeersRequest, ProbePeersResponse, TransferLeaderRequest,
    TransferLeaderResponse,
};
use tonic::Streaming;

use super::send;
use crate::cluster::{Call, Cluster};
use crate::error::ClientError;

/// The nodes' state, and leadership. All errors are [`ClientError`]s.
#[derive(Clone, Copy)]
pub struct ClusterApi<'a>(pub(super) &'a Cluster);

impl ClusterApi<'_> {
    /// What one node knows; that node only.
    pub async fn status_of(&self, node: &str) -> Result<GetStatusResponse, ClientError> {
        let call = Call::idempotent("status");
        let send =
            |channel, request| async move { ClusterServiceClient::new(channel).get_status(request).await };
        self.0.call_node(node, call, GetStatusRequest {}, send).await
    }

    /// Probes from one node to all its peers: `count` to each, `interval_ms` apart (see the proto for the bounds). The
    /// samples come as they are measured.
    pub async fn probe_peers(
        &self,
        node: &str,
        count: u32,
        interval_ms: u32,
    ) -> Result<Streaming<ProbePeersResponse>, ClientError> {
        let call = Call::idempotent("probe");
        let send =
            |channel, request| async move { ClusterServiceClient::new(channel).probe_peers(request).await };
        self.0.call_node(node, call, ProbePeersRequest { count, interval_ms }, send).await
    }

    /// Hands leadership to the voter with this id; 0: the leader picks the one that is furthest along.
    pub async fn transfer_leader(&self, to: u64) -> Result<TransferLeaderResponse, ClientError> {
        let call = Call::once("leader transfer");
        send!(self.0, call, ClusterServiceClient, transfer_leader, TransferLeaderRequest { to })
    }
}
