//! The nodes' state, and leadership.

use farquorum_proto::v1::cluster_service_client::ClusterServiceClient;
use farquorum_proto::v1::{
    GetStatusRequest, GetStatusResponse, TransferLeaderRequest, TransferLeaderResponse,
};

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

    /// Hands leadership to the voter with this id; 0: the leader picks the one that is furthest along.
    pub async fn transfer_leader(&self, to: u64) -> Result<TransferLeaderResponse, ClientError> {
        let call = Call::once("leader transfer");
        send!(self.0, call, ClusterServiceClient, transfer_leader, TransferLeaderRequest { to })
    }
}
