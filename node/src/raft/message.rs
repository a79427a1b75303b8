//! Raft messages as the transport carries them.

use bytes::Bytes;
use farquorum_config::NodeId;
use farquorum_driver::eraftpb::{Message, MessageType, Snapshot};
use farquorum_driver::{CodecError, SnapshotMeta, decode, encode};

use crate::transport::Outgoing;

/// The message for the transport.
pub(super) fn outgoing(message: &Message, extend: fn(Vec<u8>) -> Vec<u8>) -> Outgoing {
    let bytes = extend(encode(message));
    Outgoing { to: NodeId(message.to), message: bytes.into(), control: is_control(message) }
}

/// Heartbeats, votes and reads never wait behind entries: a full link must not look like a dead leader.
fn is_control(message: &Message) -> bool {
    use MessageType::{
        MsgHeartbeat, MsgHeartbeatResponse, MsgReadIndex, MsgReadIndexResp, MsgRequestPreVote,
        MsgRequestPreVoteResponse, MsgRequestVote, MsgRequestVoteResponse, MsgTimeoutNow,
    };
    let control = [
        MsgHeartbeat,
        MsgHeartbeatResponse,
        MsgReadIndex,
        MsgReadIndexResp,
        MsgRequestPreVote,
        MsgRequestPreVoteResponse,
        MsgRequestVote,
        MsgRequestVoteResponse,
        MsgTimeoutNow,
    ];
    control.iter().any(|kind| i32::from(*kind) == message.msg_type)
}

/// A `MsgSnapshot` that describes this stored snapshot, without its data.
pub(super) fn snapshot_message(mut message: Message, meta: &SnapshotMeta) -> Bytes {
    let mut snapshot = message.snapshot.take().unwrap_or_default();
    let mut metadata = snapshot.metadata.take().unwrap_or_default();
    metadata.index = meta.position.index;
    metadata.term = meta.position.term;
    metadata.conf_state = Some(meta.conf_state.clone());
    message.snapshot = Some(Snapshot { data: Default::default(), metadata: Some(metadata) });
    encode(&message).into()
}

/// Puts the data back into a `MsgSnapshot` that came without it, for [`super::RaftHandle::incoming`].
///
/// # Errors
/// The bytes are no message.
pub fn join_snapshot(message: &[u8], data: Vec<u8>) -> Result<Bytes, CodecError> {
    let mut message: Message = decode(message)?;
    let mut snapshot = message.snapshot.take().unwrap_or_default();
    snapshot.data = data;
    message.snapshot = Some(snapshot);
    Ok(encode(&message).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use farquorum_driver::LogPosition;
    use farquorum_driver::eraftpb::ConfState;

    #[test]
    fn a_snapshot_is_described_and_put_together_again() {
        let ask = Message {
            msg_type: MessageType::MsgSnapshot.into(),
            to: 3,
            from: 1,
            term: 7,
            ..Message::default()
        };
        let conf_state = ConfState { voters: vec![1, 2, 3], ..ConfState::default() };
        let meta =
            SnapshotMeta { position: LogPosition { index: 40, term: 6 }, conf_state: conf_state.clone() };
        let sent = snapshot_message(ask, &meta);
        let whole: Message = decode(&join_snapshot(&sent, vec![1, 2, 3]).unwrap()).unwrap();
        assert_eq!((whole.to, whole.from, whole.term), (3, 1, 7));
        let snapshot = whole.snapshot.unwrap();
        assert_eq!(snapshot.data.to_vec(), [1, 2, 3]);
        let metadata = snapshot.metadata.unwrap();
        assert_eq!((metadata.index, metadata.term, metadata.conf_state), (40, 6, Some(conf_state)));
        assert!(join_snapshot(&[0xff; 5], Vec::new()).is_err());
    }
}
