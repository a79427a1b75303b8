//! raft-rs's messages to bytes and back, so that no other crate needs the old prost that raft-rs is built with.

use prost_raft::Message;
use raft::eraftpb::{ConfChangeV2, Entry, EntryType};
use thiserror::Error;

/// Bytes that are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("not a {what}: {source}")]
pub struct CodecError {
    /// Name of the type that was expected.
    pub what: &'static str,
    /// What the decoder says.
    pub source: prost_raft::DecodeError,
}

/// The protobuf encoding of a raft-rs type (`eraftpb::{Message, Entry, HardState, ConfState, ...}`).
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    message.encode_to_vec()
}

/// The raft-rs type with this protobuf encoding. Unknown enum values pass: [`crate::check_message`] refuses them.
pub fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, CodecError> {
    M::decode(bytes).map_err(|source| CodecError { what: std::any::type_name::<M>(), source })
}

/// The change of members in a committed entry, for [`crate::Driver::apply_conf_change`]; none for other entries.
pub fn conf_change_of(entry: &Entry) -> Result<Option<ConfChangeV2>, CodecError> {
    if entry.entry_type == i32::from(EntryType::EntryConfChangeV2) {
        return decode(&entry.data).map(Some);
    }
    Ok(None)
}
